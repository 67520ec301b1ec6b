import { useSyncExternalStore } from "react";

/** What somebody chose; "system" follows the browser. */
export type Theme = "system" | "light" | "dark";

const STORED_AS = "rivetkit.dashboard.theme";
const THEMES: readonly Theme[] = ["system", "light", "dark"];
const listeners = new Set<() => void>();

function readTheme(): Theme {
	const stored = window.localStorage.getItem(STORED_AS);
	return THEMES.find((theme) => theme === stored) ?? "system";
}

/** Shows the page in the theme that was chosen last. */
export function applyTheme(): void {
	const theme = readTheme();
	const { dataset } = document.documentElement;
	if (theme === "system") delete dataset.theme;
	else dataset.theme = theme;
}

export function nextTheme(theme: Theme): Theme {
	return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]!;
}

export function chooseTheme(theme: Theme): void {
	window.localStorage.setItem(STORED_AS, theme);
	applyTheme();
	for (const listener of listeners) listener();
}

export function useTheme(): Theme {
	return useSyncExternalStore((listener) => {
		listeners.add(listener);
		return () => listeners.delete(listener);
	}, readTheme);
}
