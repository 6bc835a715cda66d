module flyback.test/dbmate

go 1.24

require github.com/amacneil/dbmate/v2 v2.28.0

require github.com/lib/pq v1.10.9 // indirect
