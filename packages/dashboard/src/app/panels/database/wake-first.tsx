import { Database } from "lucide-react";
import { Button } from "../../ui/button.tsx";
import { Empty } from "../../ui/notice.tsx";

/** In place of what only an actor that is awake can say. */
export function WakeFirst({ onWake }: { onWake: () => void }) {
	return (
		<Empty title="The actor sleeps" icon={<Database />}>
			<p>SQL runs in the actor's own connection, so looking into its database wakes it.</p>
			<p className="database-wake">
				<Button kind="primary" onClick={onWake}>
					Wake it and look
				</Button>
			</p>
		</Empty>
	);
}
