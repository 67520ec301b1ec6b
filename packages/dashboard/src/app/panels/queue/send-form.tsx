import { Send } from "lucide-react";
import { type FormEvent, useState } from "react";
import { useInspector } from "../../api/context.tsx";
import { useRefreshActor } from "../../api/queries.ts";
import { Button } from "../../ui/button.tsx";
import { CodeInput, Field, TextInput } from "../../ui/field.tsx";
import { Failure } from "../../ui/notice.tsx";
import { Panel } from "../../ui/panel.tsx";
import { sayDone } from "../../ui/toasts.tsx";
import { problemIn } from "../../value-view/problem-in.ts";
import { parseValue } from "../../values/parse.ts";

/** Sends a message as a client would. */
export function SendForm({ actorId }: { actorId: string }) {
	const inspector = useInspector(actorId);
	const refresh = useRefreshActor(actorId);
	const [name, setName] = useState("");
	const [text, setText] = useState("{}");
	const [failure, setFailure] = useState<unknown>(null);
	const problem = problemIn(text, parseValue);
	const submit = async () => {
		if (problem !== null || name === "") return;
		setFailure(null);
		try {
			await inspector.sendMessage(name, parseValue(text));
			sayDone(`The message is in ${name}`);
		} catch (error) {
			setFailure(error);
		}
		refresh();
	};
	const onSubmit = (event: FormEvent) => {
		event.preventDefault();
		void submit();
	};
	return (
		<Panel title="Send a message" note="wakes the actor if it sleeps">
			<form className="send-form" onSubmit={onSubmit}>
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
				<Field label="Body" problem={problem}>
					{(wiring) => (
						<CodeInput
							{...wiring}
							rows={3}
							value={text}
							onChange={({ target }) => setText(target.value)}
							onSubmitKey={() => void submit()}
						/>
					)}
				</Field>
				<div>
					<Button
						type="submit"
						kind="primary"
						icon={<Send aria-hidden="true" />}
						disabled={problem !== null || name === ""}
					>
						Send
					</Button>
				</div>
			</form>
			{failure !== null && <Failure error={failure} />}
		</Panel>
	);
}
