import { createRivetKit } from "@rivetkit/react";
import { type FormEvent, useEffect, useState } from "react";
import type { Message, registry } from "./actors.ts";

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const { useActor } = createRivetKit<typeof registry>();

export function App({ room, author }: { room: string; author: string }) {
	const chat = useActor({ name: "chatRoom", key: [room], params: { author } });
	const { connection, connStatus } = chat;
	const [messages, setMessages] = useState<readonly Message[]>([]);
	const [present, setPresent] = useState<readonly string[]>([]);
	const [problem, setProblem] = useState("");

	chat.useEvent("message", (message) => setMessages((before) => [...before, message]));
	chat.useEvent("presence", setPresent);

	// Also after a reconnect: what was said meanwhile is in the history.
	useEffect(() => {
		if (!connection || connStatus !== "connected") return;
		// Each at once: what events say after an answer is not to be lost under it.
		const shown = [connection.history().then(setMessages), connection.present().then(setPresent)];
		Promise.all(shown).catch((error: Error) => setProblem(error.message));
	}, [connection, connStatus]);

	const say = (event: FormEvent<HTMLFormElement>) => {
		event.preventDefault();
		const form = event.currentTarget;
		const text = String(new FormData(form).get("text"));
		form.reset();
		setProblem("");
		connection?.say(text).catch((error: Error) => setProblem(error.message));
	};

	return (
		<main>
			<header>
				<h1>#{room}</h1>
				<span id="present">{present.join(", ")}</span>
				<span id="status" data-status={connStatus}>
					{connStatus}
				</span>
			</header>
			<ol id="history">
				{messages.map(({ author, text, sentAt }) => (
					<li key={`${sentAt} ${author} ${text}`}>
						<b>{author}</b>
						{text}
					</li>
				))}
			</ol>
			<p id="problem" role="alert">
				{problem || chat.error?.message}
			</p>
			<form onSubmit={say}>
				<input name="text" placeholder={`Write as ${author}`} autoComplete="off" required />
				<button type="submit" disabled={connStatus !== "connected"}>
					Send
				</button>
			</form>
		</main>
	);
}
