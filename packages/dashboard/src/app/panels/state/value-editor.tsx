import { type RefObject, useEffect, useId, useRef, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { CodeInput, TextInput } from "../../ui/field.tsx";
import { isSameValue } from "../../values/equal.ts";
import { kindOf } from "../../values/kinds.ts";
import { parseValue } from "../../values/parse.ts";
import { childrenOf } from "../../values/tree.ts";

const LINES_MAX = 16;

/** A text field in the place of a value: says at once what is wrong with what is typed. */
export function ValueEditor<T>({
	label,
	text: initial,
	read,
	onDone,
	onCancel,
	isFirst = true,
}: {
	label: string;
	text: string;
	/** Throws for what cannot be read. */
	read: (text: string) => T;
	onDone: (value: T) => void;
	onCancel: () => void;
	/** Whether it is what is typed first. */
	isFirst?: boolean;
}) {
	const id = useId();
	const field = useTypedFirst<HTMLTextAreaElement>(isFirst);
	const [text, setText] = useState(initial);
	const result = attempt(() => read(text));
	const submit = () => {
		if (result.ok) onDone(result.value);
	};
	return (
		<div className="tree-editor">
			<CodeInput
				ref={field}
				aria-label={label}
				aria-describedby={id}
				aria-invalid={!result.ok}
				rows={Math.min(LINES_MAX, text.split("\n").length)}
				value={text}
				onChange={({ target }) => setText(target.value)}
				onSubmitKey={submit}
				onKeyDown={(event) => {
					if (event.key === "Escape") onCancel();
				}}
			/>
			<div className="tree-editor-buttons">
				<Button kind="primary" disabled={!result.ok} onClick={submit}>
					Apply
				</Button>
				<Button onClick={onCancel}>Cancel</Button>
				<span id={id} className={result.ok ? "field-hint" : "field-problem"} aria-live="polite">
					{result.ok ? "Ctrl+Enter applies, Esc cancels" : result.problem}
				</span>
			</div>
		</div>
	);
}

/** Asks for one more child: of objects and maps with its key. */
export function NewEntry({
	parent,
	onDone,
	onCancel,
}: {
	parent: unknown;
	onDone: (key: unknown, value: unknown) => void;
	onCancel: () => void;
}) {
	const kind = kindOf(parent);
	const [keyText, setKeyText] = useState("");
	const needsKey = kind === "object" || kind === "map";
	const keyField = useTypedFirst<HTMLInputElement>(needsKey);
	const readKey = (): unknown => {
		if (!needsKey) return undefined;
		const key = kind === "map" ? parseValue(keyText) : keyText;
		if (kind === "object" && keyText === "") throw new Error("A name is missing");
		const isTaken = childrenOf(parent).some(({ label }) => isSameValue(label, key));
		if (isTaken) throw new Error("This key is there already");
		return key;
	};
	return (
		<div className="tree-editor">
			{needsKey && (
				<TextInput
					ref={keyField}
					aria-label={
						kind === "map" ? "Key of the new entry, as a value" : "Name of the new property"
					}
					placeholder={kind === "map" ? '"key", 1, 12n …' : "name"}
					value={keyText}
					onChange={({ target }) => setKeyText(target.value)}
					onKeyDown={(event) => {
						if (event.key === "Escape") onCancel();
					}}
				/>
			)}
			<ValueEditor
				label="Value of the new entry"
				text="null"
				isFirst={!needsKey}
				read={(text) => ({ key: readKey(), value: parseValue(text) })}
				onDone={({ key, value }) => onDone(key, value)}
				onCancel={onCancel}
			/>
		</div>
	);
}

/** The cursor goes to the field once, when it appears; what stands there is replaced by what is typed. */
function useTypedFirst<T extends HTMLInputElement | HTMLTextAreaElement>(
	isFirst: boolean,
): RefObject<T | null> {
	const field = useRef<T>(null);
	useEffect(() => {
		if (!isFirst) return;
		field.current?.focus();
		field.current?.select();
	}, [isFirst]);
	return field;
}

type Attempt<T> = { ok: true; value: T } | { ok: false; problem: string };

function attempt<T>(run: () => T): Attempt<T> {
	try {
		return { ok: true, value: run() };
	} catch (error) {
		return { ok: false, problem: (error as Error).message };
	}
}
