import type { LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import type { FunctionComponent } from "react";

export interface PanelProps {
	readonly actorId: string;
	readonly life: LifecycleReport;
	/** What the tab keeps in the address. */
	readonly options: Readonly<Record<string, string>>;
}

export interface PanelEntry {
	/** On the tab. */
	readonly title: string;
	readonly Panel: FunctionComponent<PanelProps>;
}
