import { type FormEvent, type ReactNode, useState } from "react";
import { Button } from "../ui/button.tsx";
import { CodeInput, Field } from "../ui/field.tsx";
import { problemIn } from "../value-view/problem-in.ts";
import "./value-form.css";

/** Something to send with values that are typed: by its button or Ctrl+Enter, once they can be read. */
export function ValueForm<T>({
	label,
	hint,
	initial,
	parse,
	verb,
	icon,
	isReady = true,
	onSubmit,
	children,
}: {
	/** Of the field for values. */
	label: string;
	hint?: ReactNode;
	initial: string;
	/** Throws for a text that is no value. */
	parse: (text: string) => T;
	/** On the button. */
	verb: string;
	icon: ReactNode;
	/** Whether what `children` ask for is there. */
	isReady?: boolean;
	/** Must not reject. */
	onSubmit: (value: T) => Promise<void>;
	/** Fields before that of the values. */
	children: ReactNode;
}) {
	const [text, setText] = useState(initial);
	const [isBusy, setBusy] = useState(false);
	const problem = problemIn(text, parse);
	const canSubmit = problem === null && isReady && !isBusy;
	const submit = async () => {
		if (!canSubmit) return;
		setBusy(true);
		await onSubmit(parse(text));
		setBusy(false);
	};
	const onFormSubmit = (event: FormEvent) => {
		event.preventDefault();
		void submit();
	};
	return (
		<form className="value-form" onSubmit={onFormSubmit}>
			{children}
			<Field label={label} problem={problem} hint={hint}>
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
				<Button kind="primary" type="submit" icon={icon} disabled={!canSubmit}>
					{verb}
				</Button>
			</div>
		</form>
	);
}
