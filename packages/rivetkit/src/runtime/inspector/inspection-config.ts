/** How the actors of one host may be inspected (contract: protocol 7.1, ruling 13). */
export interface InspectionConfig {
	/** Without it there are no inspector routes at all. */
	readonly enabled: boolean;
	/** The token for all actors; "" when none is configured. Asked at each call. */
	token(): string;
	/**
	 * Whether callers on this machine need no token while none is configured: the server listens on loopback
	 * only, and not in production. Asked at each call.
	 */
	isOpen(): boolean;
}
