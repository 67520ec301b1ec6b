import type { ActorStatus } from "@rivetkit/protocol/inspector/answers";
import type { ActorRecord } from "../api/management.ts";
import { Status, type Tone } from "../ui/badge.tsx";

const TONES: Readonly<Record<ActorStatus | "destroyed" | "new", Tone>> = {
	awake: "good",
	starting: "accent",
	stopping: "accent",
	sleeping: "idle",
	failing: "bad",
	destroyed: "idle",
	new: "idle",
};

export function isAwake(record: ActorRecord): boolean {
	return statusOf(record) === "awake";
}

export function statusOf(record: ActorRecord): keyof typeof TONES {
	if (record.status !== undefined) return record.status;
	if (record.destroy_ts !== null) return "destroyed";
	if (record.connectable_ts !== null) return "awake";
	return record.start_ts === null ? "new" : "sleeping";
}

export function StatusMark({ status }: { status: keyof typeof TONES }) {
	const isBusy = status === "starting" || status === "stopping";
	return <Status tone={TONES[status] ?? "idle"} label={status} isBusy={isBusy} />;
}
