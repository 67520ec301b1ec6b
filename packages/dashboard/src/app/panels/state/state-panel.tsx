import { Braces, Redo2, Save, Undo2 } from "lucide-react";
import { Badge } from "../../ui/badge.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { useShortcuts } from "../../ui/shortcuts.ts";
import type { PanelProps } from "../panel.types.ts";
import { canRedo, canUndo, redone, undone } from "./draft.ts";
import { EditableTree } from "./editable-tree.tsx";
import { type Editing, useEditing } from "./use-editing.ts";

/** The state as a tree. Edits are collected, can be taken back, and are saved in one go. */
export function StatePanel({ actorId }: PanelProps) {
	const editing = useEditing(actorId);
	if (editing.answer === undefined) {
		return editing.readFailure === null ? (
			<Loading what="the state" />
		) : (
			<Failure error={editing.readFailure} />
		);
	}
	if (!editing.answer.isStateEnabled) {
		return (
			<Empty title="This actor has no state" icon={<Braces />}>
				Give its definition <code>state</code> or <code>createState</code> to have some.
			</Empty>
		);
	}
	if (!("state" in editing.answer)) {
		return (
			<Empty title="Its state does not exist yet" icon={<Braces />}>
				It is made when the actor starts for the first time.
			</Empty>
		);
	}
	return <StateEditor editing={editing} />;
}

function StateEditor({ editing }: { editing: Editing }) {
	const { draft, seen, isChanged, isSaving, isConflict, readFailure, saveFailure } = editing;
	const { edit, step, save, discard } = editing;
	const saveUnlessConflict = () => {
		// Who types does not see yet what would be overwritten.
		if (!isConflict) void save();
	};
	useShortcuts({ s: saveUnlessConflict, z: () => step(undone), y: () => step(redone) });
	return (
		<Panel
			title="State"
			note={
				isChanged ? <Badge tone="accent">not saved</Badge> : readFailure === null ? "live" : null
			}
			tools={
				<>
					<IconButton
						label="Undo (Ctrl+Z)"
						disabled={draft === null || !canUndo(draft)}
						onClick={() => step(undone)}
					>
						<Undo2 />
					</IconButton>
					<IconButton
						label="Redo (Ctrl+Y)"
						disabled={draft === null || !canRedo(draft)}
						onClick={() => step(redone)}
					>
						<Redo2 />
					</IconButton>
					<Button disabled={!isChanged || isSaving} onClick={discard}>
						Discard
					</Button>
					<Button
						kind="primary"
						icon={<Save aria-hidden="true" />}
						disabled={!isChanged || isSaving}
						onClick={() => void save()}
					>
						{isConflict ? "Overwrite" : "Save"}
					</Button>
				</>
			}
		>
			{saveFailure !== null && <Failure error={saveFailure} />}
			{saveFailure === null && readFailure !== null && <Failure error={readFailure} />}
			{isConflict && (
				<p className="state-conflict" role="status">
					The actor changed what you are editing: the same value, or the same part of a list.
					Overwrite replaces what it wrote there, a list as a whole; Discard shows it.
				</p>
			)}
			<EditableTree seen={seen} onChange={edit} />
		</Panel>
	);
}
