import { type ActorReport, reportActor } from "../actors.ts";
import { ADDRESS_HELP, formatAddress, parseAddress } from "../address.ts";
import { command } from "../command.ts";
import { EXACT_JSON_HELP, toExactData, toExactJson, toJson } from "../output/exact-json.ts";
import { printable, shortened, type Terminal, timeOf } from "../output/terminal.ts";

const HISTORY_SHOWN = 5;
const LISTED_MAX = 10;

export const get = command({
	name: "actors get",
	summary: "Shows all about one actor, without waking it.",
	usage: "ACTOR",
	arity: [1, 1],
	options: {},
	details: [
		ADDRESS_HELP,
		`With --json: { actor, lifecycle, isStateEnabled, isDatabaseEnabled, isWorkflowEnabled, state?, actions, connections, queue, schedules }.`,
		EXACT_JSON_HELP,
	],
	async run({ server, positionals, options, out }) {
		const report = await reportActor(server, parseAddress(positionals[0]!));
		if (options.json) out.line(toJson(toExactData(report), "  "));
		else show(report, out);
	},
});

function show(report: ActorReport, out: Terminal): void {
	const { actor, lifecycle, queue, schedules, connections } = report;
	const field = (name: string, value: string) =>
		out.line(`${out.style("dim", name.padEnd(13))}${printable(value)}`);
	const item = (text: string) => out.line(`${" ".repeat(13)}${printable(shortened(text))}`);
	out.line(out.style("bold", printable(formatAddress(actor.name, actor.key))));
	field("id", actor.id);
	field("status", lifecycle.status + (lifecycle.phase ? ` (${lifecycle.phase})` : ""));
	for (const [index, reason] of lifecycle.awakeBecause.entries()) {
		if (index === 0) field("why awake", reason);
		else item(reason);
	}
	if (lifecycle.failure) {
		field("failure", lifecycle.failure.message);
		field("next start", timeOf(lifecycle.failure.retryAtMs));
	}
	field("created", timeOf(actor.createdAtMs));
	field("started", timeOf(lifecycle.startedAtMs));
	if (lifecycle.sleptAtMs !== null) field("slept", timeOf(lifecycle.sleptAtMs));
	if (lifecycle.wakesAtMs !== null) field("wakes", timeOf(lifecycle.wakesAtMs));
	field("generation", String(lifecycle.generation));
	const has = [
		report.isStateEnabled && "state",
		report.isDatabaseEnabled && "database",
		report.isWorkflowEnabled && "workflow",
	].filter((part) => part !== false);
	field("has", has.join(", ") || "no state");
	if (report.isStateEnabled) field("state", shortened(toExactJson(report.state)));
	field("actions", report.actions.join(", ") || "none");
	field("queue", `${queue.size} of ${queue.maxSize} messages`);
	listed("connections", connections, ({ type, id, details }) =>
		[type, id, `${details.subscriptions} subscriptions`].join("  "),
	);
	listed("schedules", schedules, (schedule) =>
		[
			timeOf(schedule.nextRunAt),
			schedule.kind,
			schedule.name ?? schedule.id,
			`${schedule.action}(${schedule.isTooDeep ? "nested too deep to be shown" : toExactJson(schedule.args).slice(1, -1)})`,
			...(schedule.parked ? [`parked: ${schedule.parked}`] : []),
		].join("  "),
	);
	listed("lately", lifecycle.history.slice(-HISTORY_SHOWN), ({ event, atMs, detail }) =>
		[timeOf(atMs), event, ...(detail ? [detail] : [])].join("  "),
	);

	function listed<T>(name: string, items: readonly T[], text: (item: T) => string): void {
		if (items.length === 0) return;
		field(name, String(items.length));
		for (const one of items.slice(0, LISTED_MAX)) item(text(one));
		if (items.length > LISTED_MAX) item(`and ${items.length - LISTED_MAX} more`);
	}
}
