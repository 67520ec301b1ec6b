import { createRivetKit } from "@rivetkit/react";
import { type FormEvent, StrictMode, useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import type { Message, registry } from "./registry.ts";

const conversation = new URLSearchParams(location.search).get("conversation") ?? "main";

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const { useActor } = createRivetKit<typeof registry>();

function Conversation() {
	const agent = useActor({ name: "agent", key: [conversation] });
	const { connection, connStatus } = agent;
	const [messages, setMessages] = useState<Message[]>([]);
	/** The reply that is being read here. */
	const [reading, setReading] = useState<string | null>(null);
	const [problem, setProblem] = useState("");
	const stop = useRef(() => {});
	const end = useRef<HTMLLIElement>(null);

	// Also after a reconnect: what was said meanwhile is in the history.
	useEffect(() => {
		if (connection && connStatus === "connected") {
			connection.history().then(setMessages, (error: Error) => setProblem(error.message));
		}
	}, [connection, connStatus]);
	agent.useEvent("message", (message) => {
		setMessages((known) => [...known.filter(({ id }) => id !== message.id), message]);
	});
	useEffect(() => {
		end.current?.scrollIntoView();
	});

	async function ask(event: FormEvent<HTMLFormElement>) {
		event.preventDefault();
		const form = event.currentTarget;
		const text = String(new FormData(form).get("text") ?? "");
		if (!connection || text.trim() === "") return;
		form.reset();
		setProblem("");
		setReading("");
		const pieces = connection.ask(text)[Symbol.asyncIterator]();
		// Leaving ends the reply in the actor, too.
		stop.current = () => void pieces.return();
		try {
			for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) {
				const { value } = piece;
				setReading((text) => (text ?? "") + value);
			}
		} catch (error) {
			setProblem((error as Error).message);
		} finally {
			setReading(null);
		}
	}

	const settled = messages.filter(({ status }) => status !== "writing");
	return (
		<>
			<header>
				<h1>AI agent</h1>
				<span id="status" data-status={connStatus}>
					{connStatus}
				</span>
			</header>
			<ol aria-live="polite">
				{settled.map(({ id, role, text, status }) => (
					<li key={id} className={role}>
						{text} {status === "stopped" && <small>(stopped)</small>}
					</li>
				))}
				{reading !== null && <li className="assistant writing">{reading}</li>}
				<li ref={end} hidden />
			</ol>
			<form onSubmit={ask}>
				<input name="text" placeholder="Ask something" autoComplete="off" aria-label="Question" />
				{reading === null ? (
					<button type="submit">Ask</button>
				) : (
					<button type="button" onClick={() => stop.current()}>
						Stop
					</button>
				)}
			</form>
			<p role="alert">{agent.error?.message ?? problem}</p>
		</>
	);
}

createRoot(document.getElementById("root") as HTMLElement).render(
	<StrictMode>
		<Conversation />
	</StrictMode>,
);
