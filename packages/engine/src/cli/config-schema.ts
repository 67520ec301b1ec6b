import { ENGINE_TOKEN_ALPHABET, isEngineToken } from "@rivetkit/protocol";
import { z } from "zod";

/** A number, or text that is one, as environments have it. */
const integer = (min: number, max: number) => {
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	const error = `a whole number ${range}`;
	return z.preprocess(
		(value) => (typeof value === "string" && value.trim() !== "" ? Number(value) : value),
		z.number({ error }).int({ error }).min(min, { error }).max(max, { error }),
	);
};
const port = integer(0, 65_535);
const label = integer(0, 65_535);
/** Milliseconds, or a count. */
const whole = integer(0, Number.MAX_SAFE_INTEGER);
/** As the published engine has it. */
const seconds = integer(0, 1_000_000_000);
const flag = z.preprocess(
	(value) => (value === "true" ? true : value === "false" ? false : value),
	z.boolean({ error: "true or false" }),
);
const anyText = z.string({ error: "text" });
const text = anyText.min(1, { error: "text that is not empty" });
/** Text with commas, or a list. */
const list = z.preprocess(
	(value) => (typeof value === "string" ? value.split(",").map((one) => one.trim()) : value),
	z.array(text, { error: "a list, or text with commas" }),
);
const datacenter = z.strictObject({
	name: text.optional(),
	datacenter_label: label.optional(),
	is_leader: flag.optional(),
	public_url: z.url({ protocol: /^https?$/, error: "an http or https URL" }).optional(),
	peer_url: anyText.optional(),
	proxy_url: anyText.optional(),
	valid_hosts: list.optional(),
});
const address = z.strictObject({ host: text.optional(), port: port.optional() });

/**
 * Contract: engine 8. Keys that are not here are refused by name. What an error says is what is expected, to follow that
 * word; those of a refinement are whole sentences.
 */
export const configSchema = z.strictObject({
	auth: z
		.strictObject({
			admin_token: text.refine(isEngineToken, { error: ENGINE_TOKEN_ALPHABET }).optional(),
			open_actor_creation: flag.optional(),
		})
		.optional(),
	gateway: z
		.strictObject({
			require_token: flag.optional(),
			tunnel_backlog_max_size: whole.optional(),
			tunnel_backlog_max_messages: whole.optional(),
			tunnel_backlog_max_ends: whole.optional(),
		})
		.optional(),
	guard: z
		.strictObject({
			...address.shape,
			http_max_request_body_size: whole.optional(),
			websocket_max_message_size: whole.optional(),
			actor_ready_timeout_ms: whole.optional(),
			actor_force_wake_pending_timeout_ms: whole.optional(),
			https: z
				.strictObject({
					port: port.optional(),
					tls: z
						.strictObject({
							actor_cert_path: anyText.optional(),
							actor_key_path: anyText.optional(),
							api_cert_path: anyText.optional(),
							api_key_path: anyText.optional(),
						})
						.optional(),
				})
				.optional(),
		})
		.optional(),
	api_peer: address.optional(),
	metrics: address.optional(),
	file_system: z.strictObject({ path: text }).optional(),
	postgres: z
		.strictObject({
			url: anyText.refine((url) => /^postgres(ql)?:/.test(url) && URL.canParse(url), {
				error: "must look like postgres://user:password@host:5432/database",
			}),
			ssl: z
				.strictObject({
					root_cert_path: anyText.optional(),
					client_cert_path: anyText.optional(),
					client_key_path: anyText.optional(),
				})
				.optional(),
		})
		.optional(),
	// Ours: this process among others on one PostgreSQL.
	node: z
		.strictObject({
			...address.shape,
			address: text.optional(),
			name: text.optional(),
			lease_ms: integer(1_000, Number.MAX_SAFE_INTEGER).optional(),
		})
		.optional(),
	pegboard: z
		.strictObject({
			base_retry_timeout: whole.optional(),
			reschedule_backoff_max_exponent: whole.optional(),
			retry_reset_duration: whole.optional(),
			actor_start_threshold: whole.optional(),
			actor_stop_threshold: whole.optional(),
			runner_eligible_threshold: whole.optional(),
			runner_lost_threshold: whole.optional(),
			runner_update_ping_interval_ms: whole.optional(),
			gateway_websocket_open_timeout_ms: whole.optional(),
			gateway_response_start_timeout_ms: whole.optional(),
			gateway_hws_max_pending_size: whole.optional(),
			gateway_hws_message_ack_timeout_ms: whole.optional(),
			gateway_gc_interval_ms: whole.optional(),
			serverless_base_retry_timeout: whole.optional(),
			serverless_backoff_max_exponent: whole.optional(),
			serverless_retry_reset_duration: whole.optional(),
			default_metadata_poll_interval: whole.optional(),
			min_metadata_poll_interval: whole.optional(),
			runner_pool_consecutive_successes_to_clear_error: whole.optional(),
			pool_desired_max_override: whole.optional(),
			gateway_update_ping_interval_ms: whole.optional(),
			gateway_tunnel_ping_timeout_ms: whole.optional(),
			hibernating_request_eligible_threshold: whole.optional(),
			actor_allocation_candidate_sample_size: whole.optional(),
		})
		.optional(),
	topology: z
		.strictObject({
			datacenter_label: label.optional(),
			datacenters: z
				.union([z.array(datacenter), z.record(z.string(), datacenter)], {
					error: "datacenters by name, or a list of them",
				})
				.optional(),
		})
		.optional(),
	runtime: z
		.strictObject({
			guard_shutdown_duration: seconds.optional(),
			force_shutdown_duration: seconds.optional(),
			worker_shutdown_duration: seconds.optional(),
			worker: z.strictObject({ shutdown_duration: seconds.optional() }).optional(),
			allow_version_rollback: flag.optional(),
		})
		.optional(),
	logs: z.strictObject({ redirect_logs_dir: text.optional() }).optional(),
	cache: z.strictObject({ enabled: flag.optional(), driver: text.optional() }).optional(),
	nats: z
		.strictObject({
			addresses: list.optional(),
			port: port.optional(),
			username: anyText.optional(),
			password: anyText.optional(),
		})
		.optional(),
	postgres_notify: z.unknown().optional(),
	memory: z.unknown().optional(),
	telemetry: z.strictObject({ enabled: flag.optional() }).optional(),
});

/** What files and environment say, checked. */
export type Given = z.infer<typeof configSchema>;
