import { Send } from "lucide-react";
import { useId, useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useDeclarations, useRefreshActor } from "../../api/queries.ts";
import { Field, TextInput } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { sayDone } from "../../ui/toasts.tsx";
import { parseValue } from "../../values/parse.ts";
import { describeSchema } from "../../values/schema.ts";
import { ValueForm } from "../value-form.tsx";

/** Sends a message as a client would. */
export function SendForm({ actorId }: { actorId: string }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const names = useId();
	const queues = useDeclarations(actorId).data?.queues ?? [];
	const [name, setName] = useState("");
	const schema = queues.find((queue) => queue.name === name)?.schema;
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
				hint={
					schema && (
						<>
							It takes <code>{describeSchema(schema)}</code>
						</>
					)
				}
				initial="{}"
				parse={parseValue}
				verb="Send"
				icon={<Send aria-hidden="true" />}
				isReady={name !== ""}
				onSubmit={send}
			>
				<Field label="Queue">
					{(wiring) => (
						<>
							<TextInput
								{...wiring}
								className="mono"
								list={names}
								value={name}
								onChange={({ target }) => setName(target.value)}
							/>
							<datalist id={names}>
								{queues.map((queue) => (
									<option key={queue.name} value={queue.name} />
								))}
							</datalist>
						</>
					)}
				</Field>
			</ValueForm>
			{failure !== null && <Failure error={failure} />}
		</Panel>
	);
}
