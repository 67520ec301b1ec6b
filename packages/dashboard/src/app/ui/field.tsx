import { type ComponentProps, type ReactNode, useId } from "react";
import "./field.css";

export interface FieldProps {
	readonly label: string;
	readonly hint?: ReactNode;
	readonly problem?: string | null | undefined;
	/** Gets the ids to be wired with. */
	readonly children: (wiring: {
		readonly id: string;
		readonly "aria-describedby": string;
		readonly "aria-invalid": boolean;
	}) => ReactNode;
}

/** A control with its label, a hint, and what is wrong with what was typed. */
export function Field({ label, hint, problem, children }: FieldProps) {
	const id = useId();
	const noteId = `${id}-note`;
	const isWrong = problem !== undefined && problem !== null;
	return (
		<div className="field">
			<label htmlFor={id}>{label}</label>
			{children({ id, "aria-describedby": noteId, "aria-invalid": isWrong })}
			<div id={noteId} className={isWrong ? "field-problem" : "field-hint"} aria-live="polite">
				{isWrong ? problem : hint}
			</div>
		</div>
	);
}

export function TextInput({ className, ...rest }: ComponentProps<"input">) {
	return (
		<input
			autoComplete="off"
			spellCheck={false}
			{...rest}
			className={`input${className === undefined ? "" : ` ${className}`}`}
		/>
	);
}

export interface CodeInputProps extends ComponentProps<"textarea"> {
	/** Called for Ctrl+Enter and Cmd+Enter. */
	readonly onSubmitKey?: () => void;
}

export function CodeInput({ onSubmitKey, onKeyDown, ...rest }: CodeInputProps) {
	return (
		<textarea
			spellCheck={false}
			autoComplete="off"
			rows={4}
			{...rest}
			className="input code-input"
			onKeyDown={(event) => {
				onKeyDown?.(event);
				if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
					event.preventDefault();
					onSubmitKey?.();
				}
			}}
		/>
	);
}
