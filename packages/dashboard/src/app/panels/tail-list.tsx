import { Unplug } from "lucide-react";
import type { ReactNode } from "react";
import { VirtualList } from "../ui/virtual-list.tsx";
import type { TailLine } from "./use-tail.ts";
import "./tail-list.css";

/** What an actor did, newest first, and where something of it is missing. */
export function TailList<T extends { readonly id: number }>({
	lines,
	label,
	children,
}: {
	lines: readonly TailLine<T>[];
	label: string;
	children: (entry: T) => ReactNode;
}) {
	return (
		<VirtualList
			items={lines}
			label={label}
			keyOf={(line) => ("entry" in line ? line.entry.id : `gap-${line.gapAfter}`)}
			rowHeight={39}
		>
			{(line) => ("entry" in line ? children(line.entry) : <Gap />)}
		</VirtualList>
	);
}

function Gap() {
	return (
		<p className="tail-gap">
			<Unplug aria-hidden="true" />
			Some may be missing here: nobody looked, more happened than the server keeps, or it was
			started anew.
		</p>
	);
}
