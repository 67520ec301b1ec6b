/** Times of pools whose hosts the engine asks (ms; contract: engine 5, 8). */
export interface ServerlessLimits {
	/** First pause after a request that failed, doubled each time. Default 2,000. */
	readonly retryBaseMs: number;
	/** Default 8. */
	readonly backoffExponentMax: number;
	/** Without a failure for as long, the next one is the first again. Default 600,000. */
	readonly retryResetMs: number;
	/** How often a host is asked what it has, where its pool does not say. Default 10,000. */
	readonly metadataPollMs: number;
	/** At most as often. Default 5,000. */
	readonly metadataPollMinMs: number;
	/** Starts in a row after which a pool does not fail any more. Default 3. */
	readonly successesToClear: number;
	/** Requests of one pool, whatever it is configured with. Default: no limit. */
	readonly runnersMax: number;
}

export const SERVERLESS_LIMITS: ServerlessLimits = {
	retryBaseMs: 2_000,
	backoffExponentMax: 8,
	retryResetMs: 600_000,
	metadataPollMs: 10_000,
	metadataPollMinMs: 5_000,
	successesToClear: 3,
	runnersMax: Number.POSITIVE_INFINITY,
};
