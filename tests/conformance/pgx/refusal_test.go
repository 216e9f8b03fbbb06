// Of our own, beside pgx's: how a statement that is refused looks to pgx, in each of its ways to run one.
package conformance

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The server refuses it for want of the file, a gate because it leads to the server's files.
const refused = "SELECT pg_read_file('there_is_no_such_file')"

func isRefusal(t *testing.T, err error) {
	t.Helper()
	var said *pgconn.PgError
	if !errors.As(err, &said) {
		t.Fatalf("no error of the server's: %v", err)
	}
	byGate := said.Code == "42501" && said.Detail != "" && said.Hint != ""
	if said.Severity != "ERROR" || said.Message == "" || !(byGate || said.Code == "58P01") {
		t.Fatalf("not as an error should be: %+v", said)
	}
}

func connect(ctx context.Context, t *testing.T) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, os.Getenv("PGX_TEST_DATABASE"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(ctx) })
	return conn
}

func TestRefusedStatement(t *testing.T) {
	ctx := context.Background()
	conn := connect(ctx, t)
	modes := []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	}
	for _, mode := range modes {
		_, err := conn.Exec(ctx, refused, mode)
		isRefusal(t, err)
		var one int
		if err := conn.QueryRow(ctx, "SELECT 1", mode).Scan(&one); err != nil || one != 1 {
			t.Fatalf("%v: what follows does not run: %d %v", mode, one, err)
		}
	}
	if conn.PgConn().TxStatus() != 'I' {
		t.Fatalf("a transaction is open: %c", conn.PgConn().TxStatus())
	}
}

func TestRefusedInTransactionAndBatch(t *testing.T) {
	ctx := context.Background()
	conn := connect(ctx, t)
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.Exec(ctx, refused)
	isRefusal(t, err)
	if conn.PgConn().TxStatus() != 'E' {
		t.Fatalf("the transaction goes on: %c", conn.PgConn().TxStatus())
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}

	batch := &pgx.Batch{}
	batch.Queue("SELECT 1")
	batch.Queue("SELECT pg_read_file('there_is_no_such_file')")
	batch.Queue("SELECT 2")
	results := conn.SendBatch(ctx, batch)
	isRefusal(t, func() error {
		for range 3 {
			if _, err := results.Exec(); err != nil {
				return err
			}
		}
		return nil
	}())
	if err := results.Close(); err != nil {
		isRefusal(t, err)
	}
	var two int
	if err := conn.QueryRow(ctx, "SELECT 2").Scan(&two); err != nil || two != 2 {
		t.Fatalf("what follows does not run: %d %v", two, err)
	}
}
