import { useInspected } from "../../api/queries.ts";
import type { PanelProps } from "../panel.types.ts";
import { DeadLetters } from "./dead-letters.tsx";
import { Messages } from "./messages.tsx";
import { SendForm } from "./send-form.tsx";
import "./queue.css";

/** What waits in the queues, what was given up, and a way to send more. */
export function QueuePanel({ actorId }: PanelProps) {
	const status = useInspected(actorId, ["queue", "status"], (inspector, signal) =>
		inspector.queue(0, signal),
	);
	return (
		<>
			<Messages actorId={actorId} status={status.data} />
			<DeadLetters actorId={actorId} />
			<SendForm actorId={actorId} />
		</>
	);
}
