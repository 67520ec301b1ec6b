import { Pencil, Plus, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import type { TreeRow } from "../../value-view/rows.ts";
import { labelText, ValueTree } from "../../value-view/value-tree.tsx";
import { parseValue } from "../../values/parse.ts";
import { printValue } from "../../values/print.ts";
import { appendAt, pathId, removeAt, replaceAt } from "../../values/tree.ts";
import { NewEntry, ValueEditor } from "./value-editor.tsx";
import "./state.css";

type Editing = { readonly id: string; readonly what: "value" | "new" } | null;

/** A tree whose values can be replaced, removed and added to. */
export function EditableTree({
	value,
	onChange,
}: {
	value: unknown;
	onChange: (value: unknown) => void;
}) {
	const [editing, setEditing] = useState<Editing>(null);
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
						onChange(appendAt(value, row.path, key, child));
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
					onChange(replaceAt(value, row.path, next));
					done();
				}}
			/>
		);
	};
	return (
		<div ref={tree}>
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
								onClick={() => setEditing({ id: row.id, what: "new" })}
							>
								<Plus />
							</IconButton>
						)}
						<IconButton
							label={`Edit ${labelText(row)}`}
							data-tool={`value ${row.id}`}
							onClick={() => setEditing({ id: row.id, what: "value" })}
						>
							<Pencil />
						</IconButton>
						{row.step && (
							<IconButton
								label={`Remove ${labelText(row)}`}
								onClick={() => {
									next.current = `value ${pathId(row.path.slice(0, -1))}`;
									onChange(removeAt(value, row.path));
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
