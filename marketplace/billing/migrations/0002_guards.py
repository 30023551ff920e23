"""What holds the books: history is closed, a deposit has its transfer, invoices are numbered without a gap."""

from django.db import migrations

CLOSED = ("deposit", "depositreversal", "invoice", "closedmonth", "depositreport")
HISTORY = "".join(
    f"""
CREATE TRIGGER closed BEFORE UPDATE OR DELETE ON billing_{table} FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER closed_truncate BEFORE TRUNCATE ON billing_{table} FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE billing_{table} ENABLE ALWAYS TRIGGER closed;
ALTER TABLE billing_{table} ENABLE ALWAYS TRIGGER closed_truncate;
"""
    for table in CLOSED
)

DEPOSITS = """
-- The row comes first and its transfer last, so the look is at the end of the transaction. That the transfer cannot go
-- away again is the ledger's own promise.
CREATE FUNCTION billing_deposit_moved(p_key text, p_kind text, p_source text, p_destination text, p_currency text,
                                      p_amount bigint) RETURNS boolean LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT 1 FROM ledger_transfer t
          JOIN ledger_account s ON s.id = t.source_id
          JOIN ledger_account d ON d.id = t.destination_id
         WHERE t.key = p_key AND t.kind = p_kind AND s.address = p_source AND d.address = p_destination
           AND t.currency = p_currency AND t.amount_micros = p_amount);
END;

CREATE FUNCTION billing_deposit_has_transfer() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT billing_deposit_moved(NEW.transfer_key, 'deposit', 'outside:' || NEW.channel,
            (SELECT 'requester:' || r.public_id || ':funds' FROM accounts_requester r WHERE r.id = NEW.requester_id),
            NEW.currency, NEW.amount_micros) THEN
        RAISE EXCEPTION 'a deposit stands with its transfer or not at all'
            USING errcode = '23514', constraint = 'deposit_has_transfer';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deposit_has_transfer AFTER INSERT ON billing_deposit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing_deposit_has_transfer();
ALTER TABLE billing_deposit ENABLE ALWAYS TRIGGER deposit_has_transfer;

CREATE FUNCTION billing_reversal_has_transfer() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM billing_deposit b JOIN ledger_transfer first ON first.key = b.transfer_key
                     JOIN ledger_transfer t ON t.reverses_id = first.id
                    WHERE b.id = NEW.deposit_id AND t.key = NEW.transfer_key
                      AND t.amount_micros = b.amount_micros) THEN
        RAISE EXCEPTION 'a deposit is taken back with its money or not at all'
            USING errcode = '23514', constraint = 'reversal_has_transfer';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reversal_has_transfer AFTER INSERT ON billing_depositreversal DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION billing_reversal_has_transfer();
ALTER TABLE billing_depositreversal ENABLE ALWAYS TRIGGER reversal_has_transfer;
"""

INVOICES = """
-- The counter's row is held from here to the commit, so numbers follow one another in the order of commits, and one that
-- is rolled back gives its number back. Whatever number, year or time the caller names is overwritten.
CREATE FUNCTION billing_number_invoice() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first billing_invoice;
BEGIN
    IF NEW.total_micros <> (SELECT coalesce(sum((line->>'amount_micros')::bigint), 0)
                              FROM jsonb_array_elements(NEW.lines) AS line) THEN
        RAISE EXCEPTION 'the lines of an invoice make up its total' USING errcode = '23514', constraint = 'invoice_lines';
    END IF;
    IF NEW.corrects_id IS NOT NULL THEN
        SELECT * INTO first FROM billing_invoice WHERE id = NEW.corrects_id;
        IF first.kind <> 'invoice'
           OR (first.requester_id, first.currency, first.period_from, first.period_to, first.edition,
               -first.work_micros, -first.fees_micros)
              IS DISTINCT FROM (NEW.requester_id, NEW.currency, NEW.period_from, NEW.period_to, NEW.edition,
                                NEW.work_micros, NEW.fees_micros) THEN
            RAISE EXCEPTION 'a credit note takes back the whole of one invoice'
                USING errcode = '23514', constraint = 'credit_note_terms';
        END IF;
    ELSIF NEW.edition > 1 AND NOT EXISTS (
        SELECT 1 FROM billing_invoice i JOIN billing_invoice c ON c.corrects_id = i.id
         WHERE i.requester_id = NEW.requester_id AND i.currency = NEW.currency AND i.period_from = NEW.period_from
           AND i.kind = 'invoice' AND i.edition = NEW.edition - 1) THEN
        RAISE EXCEPTION 'an invoice is issued again once it was credited'
            USING errcode = '23514', constraint = 'invoice_edition';
    END IF;
    NEW.year := extract(year FROM market_now() AT TIME ZONE 'UTC');
    INSERT INTO billing_invoicecounter AS c (year, last_number) VALUES (NEW.year, 1)
        ON CONFLICT (year) DO UPDATE SET last_number = c.last_number + 1
        RETURNING last_number INTO NEW.number;
    NEW.issued_at := market_now();
    RETURN NEW;
END $$;
CREATE TRIGGER number_invoice BEFORE INSERT ON billing_invoice
    FOR EACH ROW EXECUTE FUNCTION billing_number_invoice();
ALTER TABLE billing_invoice ENABLE ALWAYS TRIGGER number_invoice;
"""

RIGHTS = """
GRANT SELECT, INSERT ON billing_deposit, billing_depositreversal, billing_invoice, billing_closedmonth,
    billing_depositreport TO touchstone_runtime;
GRANT SELECT ON billing_invoicecounter TO touchstone_runtime;
GRANT SELECT, INSERT, UPDATE (name, address, tax_id, email, changed_by_id, changed_at) ON billing_billingdetails
    TO touchstone_runtime;
"""

PROMISES = """
CREATE VIEW inv_r05_deposit AS
    SELECT b.id AS deposit_id, b.transfer_key FROM billing_deposit b JOIN accounts_requester r ON r.id = b.requester_id
     WHERE NOT billing_deposit_moved(b.transfer_key, 'deposit', 'outside:' || b.channel,
                                     'requester:' || r.public_id || ':funds', b.currency, b.amount_micros)
    UNION ALL
    SELECT v.deposit_id, v.transfer_key FROM billing_depositreversal v JOIN billing_deposit b ON b.id = v.deposit_id
     WHERE NOT EXISTS (SELECT 1 FROM ledger_transfer t JOIN ledger_transfer first ON first.id = t.reverses_id
                        WHERE t.key = v.transfer_key AND first.key = b.transfer_key
                          AND t.amount_micros = b.amount_micros);
COMMENT ON VIEW inv_r05_deposit IS 'Every deposit that is recorded, or taken back, is one transfer that says the same.';

CREATE VIEW inv_r06_invoice AS
    SELECT i.year, i.number, i.id AS invoice_id
      FROM (SELECT id, year, number, row_number() OVER (PARTITION BY year ORDER BY number) AS place
              FROM billing_invoice) i WHERE i.number <> i.place
    UNION ALL
    SELECT c.year, c.last_number, NULL FROM billing_invoicecounter c
     WHERE c.last_number <> (SELECT count(*) FROM billing_invoice i WHERE i.year = c.year)
    UNION ALL
    SELECT i.year, i.number, i.id FROM billing_invoice i
     WHERE i.total_micros <> (SELECT coalesce(sum((line->>'amount_micros')::bigint), 0)
                                FROM jsonb_array_elements(i.lines) AS line);
COMMENT ON VIEW inv_r06_invoice IS 'Invoices are numbered without a gap in each year, and their lines make up their totals.';
GRANT SELECT ON inv_r05_deposit, inv_r06_invoice TO touchstone_runtime;
"""

UNDO = """
DROP VIEW inv_r05_deposit, inv_r06_invoice;
DROP TRIGGER number_invoice ON billing_invoice;
DROP FUNCTION billing_number_invoice();
DROP TRIGGER reversal_has_transfer ON billing_depositreversal;
DROP FUNCTION billing_reversal_has_transfer();
DROP TRIGGER deposit_has_transfer ON billing_deposit;
DROP FUNCTION billing_deposit_has_transfer();
DROP FUNCTION billing_deposit_moved(text, text, text, text, text, bigint);
""" + "".join(
    f"DROP TRIGGER closed ON billing_{table}; DROP TRIGGER closed_truncate ON billing_{table};\n" for table in CLOSED
)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_books"), ("ledger", "0003_seals"), ("accounts", "0002_rights")]
    operations = [migrations.RunSQL([HISTORY, DEPOSITS, INVOICES, RIGHTS, PROMISES], UNDO)]
