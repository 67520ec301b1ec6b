import { ChevronRight } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { VirtualList } from "../ui/virtual-list.tsx";
import { kindOf } from "../values/kinds.ts";
import { printKey, printShort } from "../values/print.ts";
import { childCount } from "../values/tree.ts";
import { rowsOf, type Toggled, type TreeRow } from "./rows.ts";
import { Scalar } from "./scalar.tsx";
import "./value-view.css";

export interface ValueTreeProps {
	readonly value: unknown;
	/** Read out. */
	readonly label: string;
	/** What stands at the end of a line. */
	readonly tools?: (row: TreeRow) => ReactNode;
	/** Instead of the value of a line, such as an editor. */
	readonly instead?: (row: TreeRow) => ReactNode;
}

/** A value as a tree whose nodes open and close. */
export function ValueTree({ value, label, tools, instead }: ValueTreeProps) {
	const [toggled, setToggled] = useState<Toggled>(new Map());
	const rows = useMemo(() => rowsOf(value, toggled), [value, toggled]);
	const toggle = ({ id, isOpen }: TreeRow) =>
		setToggled((before) => new Map(before).set(id, !isOpen));
	return (
		<VirtualList items={rows} label={label} keyOf={({ id }) => id} rowHeight={26} className="tree">
			{(row) => (
				<div className="tree-row" style={{ paddingLeft: 10 + row.depth * 18 }}>
					{row.isParent ? (
						<button
							type="button"
							className="tree-toggle"
							aria-expanded={row.isOpen}
							aria-label={`${row.isOpen ? "Close" : "Open"} ${labelText(row)}`}
							onClick={() => toggle(row)}
						>
							<ChevronRight aria-hidden="true" />
						</button>
					) : (
						<span className="tree-toggle" />
					)}
					<Label row={row} />
					{instead?.(row) ?? <RowValue row={row} />}
					{tools && <span className="tree-tools">{tools(row)}</span>}
				</div>
			)}
		</VirtualList>
	);
}

/** What a line is called, for people who listen. */
export function labelText({ step, label }: TreeRow): string {
	if (step === undefined) return "the whole value";
	return step.in === "map" ? printShort(label, 40) : String(label);
}

function Label({ row: { step, label } }: { row: TreeRow }) {
	if (step === undefined) return null;
	if (step.in === "map") return <code className="tree-key">{printShort(label, 60)} →</code>;
	if (step.in === "set") return <code className="tree-index">•</code>;
	if (step.in === "list") return <code className="tree-index">{String(label)}</code>;
	return <code className="tree-key">{printKey(String(label))}:</code>;
}

function RowValue({ row: { value, isParent, isOpen } }: { row: TreeRow }) {
	if (!isParent) {
		return (
			<span className="tree-value">
				<Scalar value={value} />
			</span>
		);
	}
	const count = childCount(value);
	return (
		<span className="tree-parent">
			<span>
				{kindOf(value)} · {count}
			</span>
			{!isOpen && count > 0 && <code>{printShort(value, 90)}</code>}
		</span>
	);
}
