import type { DeadLetter } from "@rivetkit/protocol/inspector/answers";
import { RotateCcw } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useInspected, useRefreshActor } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Disclosure } from "../../ui/disclosure.tsx";
import { Empty, Failure, Loading } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Ago } from "../../ui/time.tsx";
import { sayDone, sayFailed, sayNothingDone } from "../../ui/toasts.tsx";
import { VirtualList } from "../../ui/virtual-list.tsx";
import { InlineValue } from "../../value-view/scalar.tsx";
import { ValueTree } from "../../value-view/value-tree.tsx";

const LISTED_MAX = 1_000;
const NOT_MOVED = "What was given up is being handled where it is now, or it is gone.";

/** Messages that were given up, and the way back to where they came from. */
export function DeadLetters({ actorId }: { actorId: string }) {
	const query = useInspected(actorId, ["queue", "dead-letters"], (inspector, signal) =>
		inspector.deadLetters(LISTED_MAX, signal),
	);
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [isBusy, setBusy] = useState(false);
	const letters = query.data?.deadLetters ?? [];
	const redrive = async (ids?: readonly number[]) => {
		setBusy(true);
		try {
			const { redriven } = await inspector.redrive(ids === undefined ? {} : { ids });
			if (redriven === 0) sayNothingDone("No message was moved", NOT_MOVED);
			else
				sayDone(
					redriven === 1 ? "1 message is back in its queue" : `${redriven} messages are back`,
				);
		} catch (error) {
			sayFailed("The dead letters could not be redriven", error);
		}
		setBusy(false);
		refresh();
	};
	return (
		<Panel
			title="Dead letters"
			note={letters.length === LISTED_MAX ? `the first ${LISTED_MAX}` : `${letters.length}`}
			tools={
				<Button
					icon={<RotateCcw aria-hidden="true" />}
					disabled={letters.length === 0 || isBusy}
					onClick={() => void redrive()}
				>
					Redrive all
				</Button>
			}
		>
			{query.isError && <Failure error={query.error} />}
			{query.isPending && <Loading what="dead letters" />}
			{query.isSuccess && letters.length === 0 && (
				<Empty title="Nothing was given up">
					A message comes here after <code>maxAttempts</code> tries, when its queue has a{" "}
					<code>deadLetter</code>.
				</Empty>
			)}
			{letters.length > 0 && (
				<VirtualList items={letters} label="Dead letters" keyOf={({ id }) => id} rowHeight={39}>
					{(letter) => (
						<LetterRow
							letter={letter}
							isBusy={isBusy}
							onRedrive={() => void redrive([letter.id])}
						/>
					)}
				</VirtualList>
			)}
		</Panel>
	);
}

function LetterRow({
	letter: { id, queue, attempts, givenUpAtMs, body },
	isBusy,
	onRedrive,
}: {
	letter: DeadLetter;
	isBusy: boolean;
	onRedrive: () => void;
}) {
	return (
		<Disclosure
			label={`dead letter ${id}`}
			summary={
				<>
					<span className="queue-id mono muted">{id}</span>
					<code className="queue-name truncate">{queue}</code>
					<Badge tone="bad">
						{attempts} {attempts === 1 ? "try" : "tries"}
					</Badge>
					<span className="queue-body truncate">
						<InlineValue value={body} charsMax={110} />
					</span>
					<span className="muted">
						<Ago ms={givenUpAtMs} />
					</span>
				</>
			}
			tools={
				<Button disabled={isBusy} onClick={onRedrive} aria-label={`Redrive dead letter ${id}`}>
					Redrive
				</Button>
			}
		>
			{() => <ValueTree value={body} label="Body" />}
		</Disclosure>
	);
}
