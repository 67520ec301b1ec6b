import { AlertDialog } from "@base-ui/react/alert-dialog";
import { type ReactNode, useRef, useState } from "react";
import { Button } from "./button.tsx";
import { useIsOnPage } from "./is-on-page.ts";
import { Failure } from "./notice.tsx";
import { sayFailed } from "./toasts.tsx";
import "./dialog.css";

export interface ConfirmProps {
	/** Of the button that opens it, and of the one that does it. */
	readonly label: string;
	readonly title: string;
	readonly children: ReactNode;
	readonly icon?: ReactNode;
	readonly disabled?: boolean;
	/** Rejects with what is shown in the dialog, which then stays open. */
	readonly onConfirm: () => Promise<void>;
}

/** A button for what cannot be taken back: asks first. */
export function ConfirmButton(props: ConfirmProps) {
	const { label, title, children, icon, disabled = false, onConfirm } = props;
	const [isOpen, setOpen] = useState(false);
	/** As of now, for what ends later. */
	const isSeen = useRef(false);
	const isOnPage = useIsOnPage();
	const show = (next: boolean) => {
		isSeen.current = next;
		setOpen(next);
		if (next) setError(null);
	};
	const [isBusy, setBusy] = useState(false);
	const [error, setError] = useState<unknown>(null);
	const confirm = async () => {
		setBusy(true);
		setError(null);
		try {
			await onConfirm();
			show(false);
		} catch (failure) {
			if (isSeen.current && isOnPage()) setError(failure);
			else sayFailed(`${label} failed`, failure);
		} finally {
			setBusy(false);
		}
	};
	return (
		<AlertDialog.Root open={isOpen} onOpenChange={show}>
			<AlertDialog.Trigger
				disabled={disabled}
				render={
					<Button kind="danger" icon={icon}>
						{label}
					</Button>
				}
			/>
			<AlertDialog.Portal>
				<AlertDialog.Backdrop className="backdrop" />
				<AlertDialog.Popup className="dialog">
					<AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
					<AlertDialog.Description className="dialog-text" render={<div />}>
						{children}
					</AlertDialog.Description>
					{error !== null && <Failure error={error} />}
					<div className="dialog-buttons">
						<AlertDialog.Close render={<Button>Cancel</Button>} />
						<Button kind="danger" disabled={isBusy} onClick={confirm}>
							{isBusy ? "Working…" : label}
						</Button>
					</div>
				</AlertDialog.Popup>
			</AlertDialog.Portal>
		</AlertDialog.Root>
	);
}
