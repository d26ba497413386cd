import { useState, type ReactNode } from 'react';
import { Button } from '../ui/Button';
import { Modal } from '../ui/Modal';

interface Props {
  /** What the button says, here and in the dialogue. */
  action: string;
  title: string;
  description: string;
  busy: boolean;
  disabled: boolean;
  onConfirm: () => void;
  children?: ReactNode;
}

/** Something that cannot be taken back is asked for twice. */
export function Confirm({ action, title, description, busy, disabled, onConfirm, children }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button busy={busy} disabled={disabled} onClick={() => setOpen(true)}>
        {busy ? 'Answer in your wallet' : action}
      </Button>
      <Modal title={title} description={description} open={open} onOpenChange={setOpen}>
        {children}
        <div className="buttons">
          <Button
            kind="primary"
            onClick={() => {
              setOpen(false);
              onConfirm();
            }}
          >
            {action}
          </Button>
          <Button onClick={() => setOpen(false)}>Cancel</Button>
        </div>
      </Modal>
    </>
  );
}
