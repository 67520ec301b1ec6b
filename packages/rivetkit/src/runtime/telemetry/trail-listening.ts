import type { Trail, TrailListener, Trails } from "./trail.ts";

/** Tells of what an actor does from now on. What is returned ends it. */
export function listenTo(trails: Trails, actorId: string, listener: TrailListener): () => void {
	const trail: Trail = trails.open(actorId);
	trail.listeners ??= new Set();
	trail.listeners.add(listener);
	return () => {
		trail.listeners?.delete(listener);
		if (trail.listeners?.size === 0) trail.listeners = null;
	};
}
