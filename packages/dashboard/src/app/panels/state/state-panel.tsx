import { Braces, Redo2, Save, Undo2 } from "lucide-react";
import { useRef, useState } from "react";
import { useInspector } from "../../api/context.tsx";
import type { SeenState } from "../../api/inspector.ts";
import { useInspected } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { useShortcuts } from "../../ui/shortcuts.ts";
import { sayDone } from "../../ui/toasts.tsx";
import { isSameValue } from "../../values/equal.ts";
import type { PanelProps } from "../panel.types.ts";
import {
	canRedo,
	canUndo,
	currentOf,
	type Draft,
	editedSince,
	isUnsaved,
	rebased,
	rebasedOnto,
	redone,
	type Sight,
	undone,
} from "./draft.ts";
import { useDraft } from "./drafts.ts";
import { EditableTree } from "./editable-tree.tsx";
import { saveDraft } from "./save.ts";

/** The state as a tree. Edits are collected, can be taken back, and are saved in one go. */
export function StatePanel({ actorId }: PanelProps) {
	const query = useInspected(actorId, ["state"], (inspector, signal) => inspector.state(signal));
	if (query.data === undefined) {
		return query.isError ? <Failure error={query.error} /> : <Loading what="the state" />;
	}
	if (!query.data.isStateEnabled) {
		return (
			<Empty title="This actor has no state" icon={<Braces />}>
				Give its definition <code>state</code> or <code>createState</code> to have some.
			</Empty>
		);
	}
	if (!("state" in query.data)) {
		return (
			<Empty title="Its state does not exist yet" icon={<Braces />}>
				It is made when the actor starts for the first time.
			</Empty>
		);
	}
	return (
		<StateEditor
			actorId={actorId}
			stored={query.data.state}
			failure={query.error}
			readAgain={async () => (await query.refetch({ throwOnError: true })).data!}
		/>
	);
}

function StateEditor({
	actorId,
	stored,
	failure: readFailure,
	readAgain,
}: {
	actorId: string;
	/** What the server has, as far as it is known. */
	stored: unknown;
	/** Why nothing newer is known; null while it is live. */
	failure: unknown;
	/** What it has now. Rejects when the server does not say. */
	readAgain: () => Promise<SeenState>;
}) {
	const inspector = useInspector(actorId);
	const [draft, setDraft] = useDraft(actorId);
	/** What is on its way to the server; undefined while nothing is. */
	const [saving, setSaving] = useState<{ readonly value: unknown }>();
	const [failure, setFailure] = useState<unknown>(null);
	const shown = draft === null ? stored : currentOf(draft);
	const isChanged = draft !== null && isUnsaved(draft);
	// What is being saved may be seen there already.
	const isOwn = saving !== undefined && isSameValue(stored, saving.value);
	const isBehind = isChanged && !isOwn && !isSameValue(stored, draft.base);
	const caught = isBehind && saving === undefined ? rebasedOnto(draft, stored) : null;
	// The actor changed something else: the edits go on top of that.
	if (caught !== null) setDraft(caught);
	const isConflict = isBehind && caught === null;
	const step = (change: (draft: Draft) => Draft) => setDraft((now) => now && change(now));
	const latest = useRef(draft);
	latest.current = draft;
	const save = async () => {
		if (!isChanged || saving) return;
		setSaving({ value: shown });
		setFailure(null);
		try {
			const saved = await saveDraft(
				{ read: readAgain, write: (value, etag) => inspector.setState(value, etag) },
				{
					latest: () => latest.current ?? draft,
					isForced: isConflict,
					onTry: (onTop, value) => {
						setDraft(onTop);
						setSaving({ value });
					},
				},
			);
			if (saved === null) return;
			await readAgain();
			// Not the draft that was saved: there may be more edits by now.
			setDraft((now) => now && rebased(now, saved.value));
			sayDone("The state is saved");
		} catch (error) {
			setFailure(error);
		} finally {
			setSaving(undefined);
		}
	};
	const discard = () => {
		setDraft(null);
		setFailure(null);
	};
	const saveUnlessConflict = () => {
		// Who types does not see yet what would be overwritten.
		if (!isConflict) void save();
	};
	useShortcuts({ s: saveUnlessConflict, z: () => step(undone), y: () => step(redone) });
	// Once everything is saved, what the server has is shown again; undo stays.
	const live = draft !== null && !isChanged && !isSameValue(stored, shown) ? stored : shown;
	const seen: Sight = { value: live, draft, stored };
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
					<Button disabled={!isChanged || saving !== undefined} onClick={discard}>
						Discard
					</Button>
					<Button
						kind="primary"
						icon={<Save aria-hidden="true" />}
						disabled={!isChanged || saving !== undefined}
						onClick={() => void save()}
					>
						{isConflict ? "Overwrite" : "Save"}
					</Button>
				</>
			}
		>
			{failure !== null && <Failure error={failure} />}
			{failure === null && readFailure !== null && <Failure error={readFailure} />}
			{isConflict && (
				<p className="state-conflict" role="status">
					The actor changed what you are editing: the same value, or the same part of a list.
					Overwrite replaces what it wrote there, a list as a whole; Discard shows it.
				</p>
			)}
			<EditableTree
				seen={seen}
				onChange={(then, value) => setDraft(editedSince(then, seen, value))}
			/>
		</Panel>
	);
}
