import { Pencil, Plus, Trash2 } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import type { TreeRow } from "../../value-view/rows.ts";
import { labelText, ValueTree } from "../../value-view/value-tree.tsx";
import { isSameValue } from "../../values/equal.ts";
import { parseValue } from "../../values/parse.ts";
import { printValue } from "../../values/print.ts";
import { appendAt, pathId, removeAt, replaceAt } from "../../values/tree.ts";
import { NewEntry, ValueEditor } from "./value-editor.tsx";
import "./state.css";

interface Editing<Seen> {
	readonly id: string;
	readonly what: "value" | "new";
	/** What was seen when it began: its places are those of then. */
	readonly seen: Seen;
}

/**
 * A tree whose values can be replaced, removed and added to. While a value is edited it stands still, so that an item of a
 * list stays where it is.
 */
export function EditableTree<Seen extends { readonly value: unknown }>({
	seen: now,
	onChange,
}: {
	seen: Seen;
	/** @param seen - what the new value was made of */
	onChange: (seen: Seen, value: unknown) => void;
}) {
	const [editing, setEditing] = useState<Editing<Seen> | null>(null);
	const seen = editing?.seen ?? now;
	const { value } = seen;
	const hasMoved = useMemo(() => !isSameValue(value, now.value), [value, now.value]);
	const tree = useRef<HTMLDivElement>(null);
	/** The button that the cursor returns to when an editor has gone, or a line. */
	const next = useRef<string>(null);
	useEffect(() => {
		if (editing !== null || next.current === null) return;
		const button = `[data-tool="${CSS.escape(next.current)}"]`;
		tree.current?.querySelector<HTMLElement>(button)?.focus();
		next.current = null;
	});
	const done = () => {
		next.current = editing && `${editing.what} ${editing.id}`;
		setEditing(null);
	};
	const instead = (row: TreeRow) => {
		if (editing?.id !== row.id) return undefined;
		if (editing.what === "new") {
			return (
				<NewEntry
					parent={row.value}
					onCancel={done}
					onDone={(key, child) => {
						onChange(seen, appendAt(value, row.path, key, child));
						done();
					}}
				/>
			);
		}
		return (
			<ValueEditor
				label={`Value of ${labelText(row)}`}
				text={printValue(row.value)}
				read={parseValue}
				onCancel={done}
				onDone={(next) => {
					onChange(seen, replaceAt(value, row.path, next));
					done();
				}}
			/>
		);
	};
	return (
		<div ref={tree}>
			{hasMoved && (
				<p className="state-note" role="status">
					The actor has changed its state since you began to edit. This is how it was; what you
					apply goes on top of what it is now.
				</p>
			)}
			<ValueTree
				value={value}
				label="State"
				instead={instead}
				tools={(row) => (
					<>
						{row.isParent && (
							<IconButton
								label={`Add to ${labelText(row)}`}
								data-tool={`new ${row.id}`}
								onClick={() => setEditing({ id: row.id, what: "new", seen })}
							>
								<Plus />
							</IconButton>
						)}
						<IconButton
							label={`Edit ${labelText(row)}`}
							data-tool={`value ${row.id}`}
							onClick={() => setEditing({ id: row.id, what: "value", seen })}
						>
							<Pencil />
						</IconButton>
						{row.step && (
							<IconButton
								label={`Remove ${labelText(row)}`}
								disabled={editing !== null}
								onClick={() => {
									next.current = `value ${pathId(row.path.slice(0, -1))}`;
									onChange(seen, removeAt(value, row.path));
								}}
							>
								<Trash2 />
							</IconButton>
						)}
					</>
				)}
			/>
		</div>
	);
}
