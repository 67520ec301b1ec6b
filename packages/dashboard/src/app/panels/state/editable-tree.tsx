import { Pencil, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { IconButton } from "../../ui/button.tsx";
import type { TreeRow } from "../../value-view/rows.ts";
import { labelText, ValueTree } from "../../value-view/value-tree.tsx";
import { parseValue } from "../../values/parse.ts";
import { printValue } from "../../values/print.ts";
import { appendAt, removeAt, replaceAt } from "../../values/tree.ts";
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
	const done = () => setEditing(null);
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
		<ValueTree
			value={value}
			label="State"
			instead={instead}
			tools={(row) => (
				<>
					{row.isParent && (
						<IconButton
							label={`Add to ${labelText(row)}`}
							onClick={() => setEditing({ id: row.id, what: "new" })}
						>
							<Plus />
						</IconButton>
					)}
					<IconButton
						label={`Edit ${labelText(row)}`}
						onClick={() => setEditing({ id: row.id, what: "value" })}
					>
						<Pencil />
					</IconButton>
					{row.step && (
						<IconButton
							label={`Remove ${labelText(row)}`}
							onClick={() => onChange(removeAt(value, row.path))}
						>
							<Trash2 />
						</IconButton>
					)}
				</>
			)}
		/>
	);
}
