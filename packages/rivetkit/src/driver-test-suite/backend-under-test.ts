import type { ActorAssignment } from "@rivetkit/protocol";
import type { ActorBackend } from "../backends/backend.ts";
import type { Expectation } from "./framework.ts";

/** A backend with what an engine does around it. */
export interface BackendUnderTest {
	readonly backend: ActorBackend;
	/** Makes an actor that nothing was written for, and assigns its first incarnation. */
	newActor(): Promise<ActorAssignment>;
	/** Assigns the next incarnation of an actor, as an engine does after it lost the one before. */
	takeOver(actorId: string): Promise<ActorAssignment>;
	/** Whether the actor is there: neither discarded nor destroyed. */
	exists(actorId: string): Promise<boolean>;
	/** The actor's alarm as committed (ms since the epoch). */
	alarmOf(actorId: string): Promise<number | null>;
	/** Opens what a crash at this instant would leave. Needed when the backend outlives crashes. */
	reopen?(): Promise<BackendUnderTest>;
	close(): Promise<void>;
}

export interface BackendSetup {
	/** Heads the report. */
	readonly name: string;
	/** Whether what was committed is there after a crash; false for what is kept in memory. */
	readonly outlivesCrashes: boolean;
	/** An empty backend; the suite closes it. */
	open(): Promise<BackendUnderTest>;
}

/** What one part of the suite is given. */
export interface SuiteContext {
	readonly setup: BackendSetup;
	expect(value: unknown, message?: string): Expectation;
	/** A test with a backend of its own. */
	test(name: string, body: (subject: BackendUnderTest) => Promise<void>): void;
}
