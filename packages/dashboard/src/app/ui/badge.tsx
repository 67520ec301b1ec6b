import type { ReactNode } from "react";
import "./badge.css";

export type Tone = "good" | "warn" | "bad" | "idle" | "accent";

export function Badge({ tone = "idle", children }: { tone?: Tone; children: ReactNode }) {
	return <span className={`badge tone-${tone}`}>{children}</span>;
}

/** A state as a coloured dot and a word: never a colour alone. */
export function Status({ tone, label, isBusy }: { tone: Tone; label: string; isBusy?: boolean }) {
	return (
		<span className={`status tone-${tone}${isBusy ? " is-busy" : ""}`}>
			<span className="status-dot" aria-hidden="true" />
			{label}
		</span>
	);
}
