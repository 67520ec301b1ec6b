import type { ReactNode } from "react";
import "./data-grid.css";

export interface Column<T> {
	readonly name: string;
	/** Below the name, quieter. */
	readonly note?: string;
	readonly cell: (row: T) => ReactNode;
}

/** A table that scrolls sideways when it is wide; its head stays. */
export function DataGrid<T>({
	label,
	columns,
	rows,
	keyOf,
}: {
	/** Read out. */
	label: string;
	columns: readonly Column<T>[];
	rows: readonly T[];
	keyOf: (row: T, index: number) => string | number;
}) {
	return (
		// biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard.
		<section className="grid" tabIndex={0} aria-label={label}>
			<table>
				<thead>
					<tr>
						{columns.map(({ name, note }) => (
							<th key={name} scope="col">
								{name}
								{note && <span className="grid-note">{note}</span>}
							</th>
						))}
					</tr>
				</thead>
				<tbody>
					{rows.map((row, index) => (
						<tr key={keyOf(row, index)}>
							{columns.map(({ name, cell }) => (
								<td key={name}>{cell(row)}</td>
							))}
						</tr>
					))}
				</tbody>
			</table>
		</section>
	);
}
