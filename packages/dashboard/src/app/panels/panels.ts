import type { Tab } from "../router/route.ts";
import { ActionsPanel } from "./actions/actions-panel.tsx";
import { ConnectionsPanel } from "./connections/connections-panel.tsx";
import { LifecyclePanel } from "./lifecycle/lifecycle-panel.tsx";
import type { PanelEntry } from "./panel.types.ts";
import { StatePanel } from "./state/state-panel.tsx";

/** What stands behind each tab. */
export const PANELS: Readonly<Record<Tab, PanelEntry>> = {
	state: { title: "State", Panel: StatePanel },
	actions: { title: "Actions", Panel: ActionsPanel },
	connections: { title: "Connections", Panel: ConnectionsPanel },
	lifecycle: { title: "Lifecycle", Panel: LifecyclePanel },
};
