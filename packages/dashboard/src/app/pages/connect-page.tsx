import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { checkSession, type SessionProblems } from "../api/check-session.ts";
import { useSession } from "../api/context.tsx";
import { UnreachableError } from "../api/errors.ts";
import type { Session } from "../api/session.ts";
import { defaultEndpoint, normalizeEndpoint } from "../router/endpoint.ts";
import { useAddress } from "../router/use-address.ts";
import { Button } from "../ui/button.tsx";
import { Field, TextInput } from "../ui/field.tsx";
import { Failure } from "../ui/notice.tsx";
import { Panel } from "../ui/panel.tsx";

/** Shown instead of a page that the server does not let in, or that has no server; or above it, once it was there. */
export function ConnectPage({ error }: { error: unknown }) {
	const { session } = useSession();
	const isLost = error instanceof UnreachableError;
	return (
		<div className="connect">
			<Panel title={isLost ? "The server does not answer" : "This server wants a token"}>
				<Failure error={error} />
				<div className="panel-padded">
					<ConnectForm key={session.endpoint} />
				</div>
			</Panel>
		</div>
	);
}

/** Takes a server and its tokens, and nothing that this server refuses. */
export function ConnectForm({ onDone, onCancel }: { onDone?: () => void; onCancel?: () => void }) {
	const { session, connect } = useSession();
	const { route } = useAddress();
	const client = useQueryClient();
	const [endpoint, setEndpoint] = useState(session.endpoint);
	const [token, setToken] = useState(session.token);
	const [engineToken, setEngineToken] = useState(session.engineToken);
	const [problems, setProblems] = useState<SessionProblems>({});
	const [isBusy, setBusy] = useState(false);
	const form = useRef<HTMLFormElement>(null);
	const gone = useGone();
	useEffect(() => {
		if (Object.keys(problems).length === 0) return;
		form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus();
	}, [problems]);
	const submit = async (event: FormEvent) => {
		event.preventDefault();
		let next: Session;
		try {
			next = {
				endpoint: normalizeEndpoint(endpoint),
				token: token.trim(),
				engineToken: engineToken.trim(),
			};
		} catch {
			setProblems({
				endpoint: "This is no address such as https://actors.example.com, without a token in it",
			});
			return;
		}
		setBusy(true);
		const signal = gone();
		const actorId = route.page === "actor" ? route.actorId : null;
		const found = await checkSession(next, actorId, signal);
		if (signal.aborted) return;
		setBusy(false);
		setProblems(found);
		if (Object.keys(found).length > 0) return;
		connect(next);
		// Not cleared: what is typed elsewhere on the page stays with what is shown there.
		void client.invalidateQueries();
		onDone?.();
	};
	return (
		<form className="connect-form" ref={form} onSubmit={(event) => void submit(event)}>
			<Field label="Endpoint" problem={problems.endpoint} hint={strangerNote(session.endpoint)}>
				{(wiring) => (
					<TextInput
						{...wiring}
						inputMode="url"
						value={endpoint}
						onChange={({ target }) => setEndpoint(target.value)}
					/>
				)}
			</Field>
			<Field
				label="Inspector token"
				problem={problems.token}
				hint="RIVET_INSPECTOR_TOKEN of the server, or what its setup({ inspector: { token } }) returns"
			>
				{(wiring) => (
					<TextInput
						{...wiring}
						type="password"
						value={token}
						onChange={({ target }) => setToken(target.value)}
					/>
				)}
			</Field>
			<Field
				label="Engine token"
				problem={problems.engineToken}
				hint="RIVET_TOKEN, where one is set: for destroying actors. Empty: the one above."
			>
				{(wiring) => (
					<TextInput
						{...wiring}
						type="password"
						value={engineToken}
						onChange={({ target }) => setEngineToken(target.value)}
					/>
				)}
			</Field>
			<p className="muted">
				Both are kept in this tab only, for this server, and forgotten when it closes.
			</p>
			<div className="dialog-buttons">
				{onCancel && <Button onClick={onCancel}>Cancel</Button>}
				<Button kind="primary" type="submit" disabled={isBusy}>
					{isBusy ? "Connecting…" : "Connect"}
				</Button>
			</div>
		</form>
	);
}

/** A link may lead to any server: nobody should give one the token of another. */
function strangerNote(endpoint: string): string | undefined {
	return endpoint === defaultEndpoint()
		? undefined
		: "Another server than the one of this page: give it no token but its own.";
}

/** What makes signals that are aborted when the form is gone. */
function useGone(): () => AbortSignal {
	const controller = useRef<AbortController>(null);
	useEffect(() => () => controller.current?.abort(), []);
	return () => {
		controller.current?.abort();
		controller.current = new AbortController();
		return controller.current.signal;
	};
}
