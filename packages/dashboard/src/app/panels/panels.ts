import type { Tab } from "../router/route.ts";
import { ActionsPanel } from "./actions/actions-panel.tsx";
import { ConnectionsPanel } from "./connections/connections-panel.tsx";
import { DatabasePanel } from "./database/database-panel.tsx";
import { EventsPanel } from "./events/events-panel.tsx";
import { KvPanel } from "./kv/kv-panel.tsx";
import { LifecyclePanel } from "./lifecycle/lifecycle-panel.tsx";
import { LogsPanel } from "./logs/logs-panel.tsx";
import { MetricsPanel } from "./metrics/metrics-panel.tsx";
import type { PanelEntry } from "./panel.types.ts";
import { QueuePanel } from "./queue/queue-panel.tsx";
import { SchedulesPanel } from "./schedules/schedules-panel.tsx";
import { StatePanel } from "./state/state-panel.tsx";
import { TracesPanel } from "./traces/traces-panel.tsx";
import { WorkflowPanel } from "./workflow/workflow-panel.tsx";

/** What stands behind each tab, in the order of the tabs. */
export const PANELS: Readonly<Record<Tab, PanelEntry>> = {
	state: { title: "State", Panel: StatePanel },
	actions: { title: "Actions", Panel: ActionsPanel },
	connections: { title: "Connections", Panel: ConnectionsPanel },
	events: { title: "Events", Panel: EventsPanel },
	queue: { title: "Queue", Panel: QueuePanel },
	schedules: { title: "Schedules", Panel: SchedulesPanel },
	database: { title: "Database", Panel: DatabasePanel },
	kv: { title: "KV", Panel: KvPanel },
	workflow: { title: "Workflow", Panel: WorkflowPanel },
	traces: { title: "Traces", Panel: TracesPanel },
	metrics: { title: "Metrics", Panel: MetricsPanel },
	logs: { title: "Logs", Panel: LogsPanel },
	lifecycle: { title: "Lifecycle", Panel: LifecyclePanel },
};
