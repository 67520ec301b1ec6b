import { StoreError } from "../store.ts";
import { PostgresConnection } from "./connection.ts";
import { addressOf, clientConfig, type PostgresSettings } from "./connection-settings.ts";

const TIMEOUT_MS = 600_000;
const IN_USE = "RVK02";

/** In one transaction, with which no node can begin. */
const DROP = `DO $$
DECLARE living text;
BEGIN
	IF to_regclass('rivetkit.nodes') IS NOT NULL THEN
		LOCK TABLE rivetkit.nodes IN ACCESS EXCLUSIVE MODE;
		SELECT string_agg(name, ', ' ORDER BY name) INTO living
		FROM rivetkit.nodes WHERE lease_until > clock_timestamp();
		IF living IS NOT NULL THEN
			RAISE EXCEPTION '%', living USING ERRCODE = '${IN_USE}';
		END IF;
	END IF;
	DROP SCHEMA IF EXISTS rivetkit CASCADE;
END $$`;

/**
 * Deletes everything that RivetKit keeps in a PostgreSQL. Rejects as `openPostgresStore` does, and with a `StoreError`
 * (`locked`) while nodes live there.
 */
export async function dropPostgresTables(settings: PostgresSettings): Promise<void> {
	const address = addressOf(settings.url);
	const connection = await PostgresConnection.open({
		config: await clientConfig(settings),
		address,
		applicationName: "rivetkit database nuke",
		statementTimeoutMs: TIMEOUT_MS,
	});
	try {
		await connection.query({ text: DROP });
	} catch (error) {
		const { code, message } = error as { code?: string; message: string };
		if (code !== IN_USE) throw error;
		throw new StoreError(
			"locked",
			address,
			`Nodes live in the database at ${address}: ${message}. Nothing was deleted. Stop them, or wait until their leases end.`,
			{ cause: error },
		);
	} finally {
		await connection.close();
	}
}
