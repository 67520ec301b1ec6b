import { CircleAlert, LoaderCircle } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError, UnreachableError } from "../api/errors.ts";
import { Button } from "./button.tsx";
import "./notice.css";

/** Nothing to show, and why, and what would change that. */
export function Empty({
	title,
	children,
	icon,
}: {
	title: string;
	children?: ReactNode;
	icon?: ReactNode;
}) {
	return (
		<div className="empty">
			{icon && (
				<div className="empty-icon" aria-hidden="true">
					{icon}
				</div>
			)}
			<p className="empty-title">{title}</p>
			{children && <div className="empty-text">{children}</div>}
		</div>
	);
}

export function Loading({ what }: { what: string }) {
	return (
		<output className="loading">
			<LoaderCircle aria-hidden="true" />
			Loading {what}…
		</output>
	);
}

/** What went wrong, in the server's words, with its name for it. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
	const { title, detail } = describeError(error);
	return (
		<div className="failure" role="alert">
			<CircleAlert aria-hidden="true" />
			<div className="failure-text">
				<p>{title}</p>
				{detail && <code>{detail}</code>}
			</div>
			{onRetry && <Button onClick={onRetry}>Try again</Button>}
		</div>
	);
}

export function describeError(error: unknown): { title: string; detail: string | null } {
	if (error instanceof ApiError) {
		const more = besides(error);
		const name = `${error.group}.${error.code}`;
		return { title: sentence(error.message), detail: more === null ? name : `${name} ${more}` };
	}
	if (error instanceof UnreachableError) {
		return { title: `${error.message}. Is the server running?`, detail: null };
	}
	const message = error instanceof Error ? error.message : String(error);
	return { title: sentence(message), detail: null };
}

/** What an error carries that its message does not say anyway. */
function besides({ message, metadata }: ApiError): string | null {
	const says = (part: unknown): boolean =>
		typeof part === "object" && part !== null
			? Object.values(part).every(says)
			: message.includes(String(part));
	return metadata === null || metadata === undefined || says(metadata)
		? null
		: JSON.stringify(metadata);
}

function sentence(text: string): string {
	const begun = text.charAt(0).toUpperCase() + text.slice(1);
	return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
