import { bytesText } from "../ui/size.ts";
import { bytesOf, kindOf } from "../values/kinds.ts";
import { printScalar, printShort } from "../values/print.ts";
import "./value-view.css";

const SHOWN_CHARS_MAX = 400;

/** A value that has no children, in its colour; or any value on one line. */
export function InlineValue({ value, charsMax = 120 }: { value: unknown; charsMax?: number }) {
	return (
		<code className={`value value-${kindOf(value).replace(" ", "-")}`}>
			{printShort(value, charsMax)}
		</code>
	);
}

export function Scalar({ value }: { value: unknown }) {
	const kind = kindOf(value);
	const text = printScalar(value, SHOWN_CHARS_MAX) ?? printShort(value, SHOWN_CHARS_MAX);
	const isLong = text.length > SHOWN_CHARS_MAX;
	return (
		<>
			<code className={`value value-${kind.replace(" ", "-")}`}>
				{isLong ? `${text.slice(0, SHOWN_CHARS_MAX)}…` : text}
			</code>
			<SizeNote value={value} isLong={isLong} />
		</>
	);
}

function SizeNote({ value, isLong }: { value: unknown; isLong: boolean }) {
	if (kindOf(value) === "bytes") {
		return <span className="value-note">{bytesText(bytesOf(value).byteLength)}</span>;
	}
	if (typeof value === "string" && isLong) {
		return <span className="value-note">{value.length.toLocaleString()} characters</span>;
	}
	return null;
}
