import type { ReactNode } from "react";
import "./panel.css";

/** A titled part of a page. */
export function Panel({
	title,
	note,
	tools,
	children,
}: {
	title: ReactNode;
	/** Beside the title, quieter. */
	note?: ReactNode;
	/** At the other end of the title. */
	tools?: ReactNode;
	children: ReactNode;
}) {
	return (
		<section className="panel">
			<header className="panel-head">
				<h2>{title}</h2>
				{note && <span className="panel-note">{note}</span>}
				{tools && <div className="panel-tools">{tools}</div>}
			</header>
			<div className="panel-body">{children}</div>
		</section>
	);
}

/** Names and their values, in two columns. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ReactNode])[] }) {
	return (
		<dl className="facts">
			{rows.map(([name, value]) => (
				<div key={name}>
					<dt>{name}</dt>
					<dd>{value}</dd>
				</div>
			))}
		</dl>
	);
}
