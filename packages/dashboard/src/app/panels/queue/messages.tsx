import type { QueueMessage, QueueStatus } from "@rivetkit/protocol/inspector/answers";
import { Inbox, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useRefreshActor } from "../../api/queries.ts";
import { Badge, type Tone } from "../../ui/badge.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { TextInput } from "../../ui/field.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { bytesText } from "../../ui/size.ts";
import { Ago } from "../../ui/time.tsx";
import { sayFailed, sayNothingDone } from "../../ui/toasts.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";
import { usePages } from "../use-pages.ts";

/** What is read first, and again with each change; and what each further page has. */
const FIRST_PAGE = 200;
const NEXT_PAGE = 1_000;

/** The messages that wait, with their bodies. */
export function Messages({
	actorId,
	status,
}: {
	actorId: string;
	status: QueueStatus | undefined;
}) {
	const [name, setName] = useState("");
	const [reverse, setReverse] = useState(false);
	const key = ["queue", "messages", name, reverse];
	const { list, goOn } = usePages(actorId, key, 0, (inspector, after, signal) => {
		const limit = after === 0 ? FIRST_PAGE : NEXT_PAGE;
		const query = { limit, after, reverse, name: name === "" ? null : name };
		return inspector.messages(query, signal);
	});
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const messages = list.data?.pages.flatMap((page) => page.messages) ?? [];
	/** Resolves with whether it is gone. */
	const drop = async ({ id }: QueueMessage) => {
		let isDropped = false;
		try {
			({ dropped: isDropped } = await inspector.dropMessage(id));
			if (!isDropped) sayNothingDone(`Message ${id} was not dropped`, NOT_DROPPED);
		} catch (error) {
			sayFailed(`Message ${id} could not be dropped`, error);
		}
		refresh();
		return isDropped;
	};
	return (
		<Panel
			title="Messages"
			note={
				status && `${status.size.toLocaleString()} of at most ${status.maxSize.toLocaleString()}`
			}
			tools={
				<>
					<TextInput
						className="queue-filter"
						aria-label="Only of this queue"
						placeholder="Queue"
						value={name}
						onChange={({ target }) => setName(target.value)}
					/>
					<select
						className="select"
						aria-label="Order"
						value={reverse ? "newest" : "oldest"}
						onChange={({ target }) => setReverse(target.value === "newest")}
					>
						<option value="oldest">Oldest first</option>
						<option value="newest">Newest first</option>
					</select>
					<Button
						icon={<RefreshCw aria-hidden="true" />}
						onClick={goOn.again}
						disabled={list.isFetching}
					>
						Refresh
					</Button>
				</>
			}
		>
			{goOn.error !== null && <Failure error={goOn.error} onRetry={goOn.again} />}
			{list.isPending && <Loading what="messages" />}
			{list.isSuccess && messages.length === 0 && (
				<Empty title="No message waits" icon={<Inbox />}>
					Messages appear here from when they are sent until the commit of who handled them.
				</Empty>
			)}
			{messages.length > 0 && (
				<VirtualList
					items={messages}
					label="Messages"
					keyOf={({ id }) => id}
					rowHeight={39}
					className="queue-list"
					onEnd={goOn.next}
					footer={list.isFetchingNextPage && <Loading what="more messages" />}
				>
					{(message) => <MessageRow message={message} onDrop={() => drop(message)} />}
				</VirtualList>
			)}
		</Panel>
	);
}

const NOT_DROPPED = "It is being handled, or it is gone: nothing was changed.";

const PLACES: Readonly<Record<string, Tone>> = { held: "accent", delayed: "warn", ready: "idle" };

function MessageRow({
	message,
	onDrop,
}: {
	message: QueueMessage;
	/** Resolves with whether it is gone. */
	onDrop: () => Promise<boolean>;
}) {
	const { id, name, place, attempt, givenUp, body, createdAtMs } = message;
	const [isDropping, setDropping] = useState(false);
	const drop = async () => {
		setDropping(true);
		// One that is gone stands here until the list is read again.
		setDropping(await onDrop());
	};
	const isHeld = place === "held";
	return (
		<Disclosure
			label={`message ${id}`}
			summary={
				<>
					<span className="queue-id mono muted">{id}</span>
					<code className="queue-name truncate">{name}</code>
					<Badge tone={givenUp ? "bad" : (PLACES[place] ?? "idle")}>
						{givenUp ? "dead letter" : place}
					</Badge>
					{attempt > 1 && <Badge tone="warn">try {attempt}</Badge>}
					<span className="queue-body truncate">
						<InlineValue value={body} charsMax={110} />
					</span>
					<span className="muted">
						<Ago ms={createdAtMs} />
					</span>
				</>
			}
			tools={
				<IconButton
					label={isHeld ? `Message ${id} is being handled` : `Drop message ${id}`}
					disabled={isHeld || isDropping}
					onClick={() => void drop()}
				>
					<Trash2 />
				</IconButton>
			}
		>
			{() => <MessageDetails message={message} />}
		</Disclosure>
	);
}

function MessageDetails({ message }: { message: QueueMessage }) {
	const { size, priority, attempt, availableAtMs, expiresAtMs, givenUp, body } = message;
	return (
		<>
			<Facts
				rows={[
					["Size", bytesText(size)],
					["Priority", priority],
					["Tries", attempt],
					...(availableAtMs ? [["Available", <Ago key="a" ms={availableAtMs} />] as const] : []),
					...(expiresAtMs ? [["Expires", <Ago key="e" ms={expiresAtMs} />] as const] : []),
					...(givenUp ? [["Given up in", <code key="g">{givenUp.queue}</code>] as const] : []),
				]}
			/>
			<ValueTree value={body} label="Body" />
		</>
	);
}
