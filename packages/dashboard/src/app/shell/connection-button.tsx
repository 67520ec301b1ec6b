import { Dialog } from "@base-ui/react/dialog";
import { Plug } from "lucide-react";
import { useState } from "react";
import { ConnectForm } from "../pages/connect-page.tsx";
import { Button } from "../ui/button.tsx";

/** Says which server the page talks to, and lets it be another. */
export function ConnectionButton({
	endpoint,
	version,
	isLost,
}: {
	endpoint: string;
	version: string | null;
	isLost: boolean;
}) {
	const [isOpen, setOpen] = useState(false);
	return (
		<Dialog.Root open={isOpen} onOpenChange={setOpen}>
			<Dialog.Trigger
				render={
					<Button kind="ghost" className="connection" icon={<Plug aria-hidden="true" />}>
						<span className={`status tone-${isLost ? "bad" : "good"}`}>
							<span className="status-dot" aria-hidden="true" />
						</span>
						<span className="connection-host mono">{endpoint.replace(/^https?:\/\//, "")}</span>
						<span className="visually-hidden">{isLost ? ", not reachable" : ", connected"}</span>
					</Button>
				}
			/>
			<Dialog.Portal>
				<Dialog.Backdrop className="backdrop" />
				<Dialog.Popup className="dialog">
					<Dialog.Title className="dialog-title">Server</Dialog.Title>
					<Dialog.Description className="dialog-text">
						{version === null
							? "This server does not answer."
							: `Connected to RivetKit ${version}.`}
					</Dialog.Description>
					<ConnectForm onDone={() => setOpen(false)} onCancel={() => setOpen(false)} />
				</Dialog.Popup>
			</Dialog.Portal>
		</Dialog.Root>
	);
}
