// Command dbmate runs commands of dbmate's own library, with the drivers that the tests need.
package main

import (
	"fmt"
	"net/url"
	"os"

	"github.com/amacneil/dbmate/v2/pkg/dbmate"
	_ "github.com/amacneil/dbmate/v2/pkg/driver/mysql"
	_ "github.com/amacneil/dbmate/v2/pkg/driver/postgres"
)

func main() {
	address, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err == nil {
		db := dbmate.New(address)
		db.AutoDumpSchema = false
		db.MigrationsDir = []string{os.Args[2]}
		db.Strict = len(os.Args) > 3
		switch os.Args[1] {
		case "migrate":
			err = db.Migrate()
		case "rollback":
			err = db.Rollback()
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
