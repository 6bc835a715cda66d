module flyback.test/dbmate

go 1.24

require github.com/amacneil/dbmate/v2 v2.28.0

require (
	filippo.io/edwards25519 v1.1.0 // indirect
	github.com/go-sql-driver/mysql v1.9.3 // indirect
	github.com/lib/pq v1.10.9 // indirect
)
