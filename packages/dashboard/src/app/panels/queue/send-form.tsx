import { Send } from "lucide-react";
import { useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useRefreshActor } from "../../api/queries.ts";
import { Field, TextInput } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { sayDone } from "../../ui/toasts.tsx";
import { parseValue } from "../../values/parse.ts";
import { ValueForm } from "../value-form.tsx";

/** Sends a message as a client would. */
export function SendForm({ actorId }: { actorId: string }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [name, setName] = useState("");
	const [failure, setFailure] = useState<unknown>(null);
	const send = async (body: unknown) => {
		setFailure(null);
		try {
			await inspector.sendMessage(name, body);
			sayDone(`The message is in ${name}`);
		} catch (error) {
			setFailure(error);
		}
		refresh();
	};
	return (
		<Panel title="Send a message" note="wakes the actor if it sleeps">
			<ValueForm
				label="Body"
				initial="{}"
				parse={parseValue}
				verb="Send"
				icon={<Send aria-hidden="true" />}
				isReady={name !== ""}
				onSubmit={send}
			>
				<Field label="Queue">
					{(wiring) => (
						<TextInput
							{...wiring}
							className="mono"
							value={name}
							onChange={({ target }) => setName(target.value)}
						/>
					)}
				</Field>
			</ValueForm>
			{failure !== null && <Failure error={failure} />}
		</Panel>
	);
}
