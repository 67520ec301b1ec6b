import { useEffect, useEffectEvent } from "react";

/**
 * What Ctrl (or Cmd) with a letter does while the page is seen, wherever the cursor is but in a field that is typed into, or in
 * a dialog. With Shift, `z` is `y`.
 */
export function useShortcuts(actions: Readonly<Record<string, () => void>>): void {
	const press = useEffectEvent((event: KeyboardEvent) => {
		if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
		const target = event.target instanceof Element ? event.target : null;
		if (target?.closest("input, textarea, select, [role=dialog], [role=alertdialog]")) return;
		const letter = event.key.toLowerCase();
		const action = actions[letter === "z" && event.shiftKey ? "y" : letter];
		if (action === undefined) return;
		event.preventDefault();
		action();
	});
	useEffect(() => {
		window.addEventListener("keydown", press);
		return () => window.removeEventListener("keydown", press);
	}, []);
}
