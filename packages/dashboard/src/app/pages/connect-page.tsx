import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useSession } from "../api/context.tsx";
import { UnreachableError } from "../api/errors.ts";
import { normalizeEndpoint } from "../api/session.ts";
import { Button } from "../ui/button.tsx";
import { Field, TextInput } from "../ui/field.tsx";
import { Failure } from "../ui/notice.tsx";
import { Panel } from "../ui/panel.tsx";

/** Shown instead of a page that the server does not let in, or that has no server. */
export function ConnectPage({ error }: { error: unknown }) {
	const isLost = error instanceof UnreachableError;
	return (
		<div className="connect">
			<Panel title={isLost ? "The server does not answer" : "This server wants a token"}>
				<Failure error={error} />
				<div className="panel-padded">
					<ConnectForm />
				</div>
			</Panel>
		</div>
	);
}

export function ConnectForm({ onDone, onCancel }: { onDone?: () => void; onCancel?: () => void }) {
	const { session, setSession } = useSession();
	const client = useQueryClient();
	const [endpoint, setEndpoint] = useState(session.endpoint);
	const [token, setToken] = useState(session.token);
	const [engineToken, setEngineToken] = useState(session.engineToken);
	const [problem, setProblem] = useState<string | null>(null);
	const submit = (event: FormEvent) => {
		event.preventDefault();
		try {
			setSession({
				endpoint: normalizeEndpoint(endpoint),
				token: token.trim(),
				engineToken: engineToken.trim(),
			});
		} catch {
			setProblem("This is no address such as https://actors.example.com");
			return;
		}
		client.clear();
		onDone?.();
	};
	return (
		<form className="connect-form" onSubmit={submit}>
			<Field label="Endpoint" problem={problem}>
				{(wiring) => (
					<TextInput
						{...wiring}
						inputMode="url"
						value={endpoint}
						onChange={({ target }) => setEndpoint(target.value)}
					/>
				)}
			</Field>
			<Field label="Inspector token" hint="RIVET_INSPECTOR_TOKEN of the server">
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
			<p className="muted">Both are kept in this tab only, and forgotten when it closes.</p>
			<div className="dialog-buttons">
				{onCancel && <Button onClick={onCancel}>Cancel</Button>}
				<Button kind="primary" type="submit">
					Connect
				</Button>
			</div>
		</form>
	);
}
