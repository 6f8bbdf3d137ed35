BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0008');
CREATE TABLE "api_keys" (
	key_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	role TEXT NOT NULL, 
	secret_hash TEXT NOT NULL, 
	created_at TEXT NOT NULL, 
	revoked_at TEXT, 
	person TEXT NOT NULL, lab_id TEXT, 
	PRIMARY KEY (key_id)
);
INSERT INTO "api_keys" VALUES('453d6304887f','Olga','officer','92b26b695b418e772ef963ce1373849741bccf294429125ebf1547efee47126c','2026-07-20T12:00:00.000000+00:00',NULL,'Olga',NULL);
INSERT INTO "api_keys" VALUES('b88b1239b85a','Gone','admin','c6cb6a014191b698b0f3c2f842af7f527ce22757a3f4d3f86a91af3b4e4f2751','2026-07-20T12:00:00.000000+00:00','2026-07-20T12:00:00.000000+00:00','Gone',NULL);
CREATE TABLE appeals (
	appeal_id TEXT NOT NULL, 
	decision_id TEXT NOT NULL, 
	filed_at TEXT NOT NULL, 
	filed_by TEXT NOT NULL, 
	grounds TEXT NOT NULL, 
	outcome TEXT, 
	reviewed_by TEXT, 
	reviewed_at TEXT, 
	note TEXT, filer_key TEXT, 
	PRIMARY KEY (appeal_id), 
	FOREIGN KEY(decision_id) REFERENCES decisions (decision_id)
);
CREATE TABLE assignments (
	sku_id TEXT NOT NULL, 
	market TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	assigned_by TEXT NOT NULL, 
	assigned_at TEXT NOT NULL, 
	PRIMARY KEY (sku_id, market)
);
CREATE TABLE decision_facts (
	decision_id TEXT NOT NULL, 
	row_id TEXT NOT NULL, 
	PRIMARY KEY (decision_id, row_id), 
	FOREIGN KEY(decision_id) REFERENCES decisions (decision_id)
);
INSERT INTO "decision_facts" VALUES('d-3c0f82019774','T-1');
CREATE TABLE "decisions" (
	decision_id TEXT NOT NULL, 
	sku_id TEXT NOT NULL, 
	market TEXT NOT NULL, 
	supplier_id TEXT, 
	disposition TEXT NOT NULL, 
	code TEXT NOT NULL, 
	explanation TEXT NOT NULL, 
	fact_kind TEXT, 
	fact_row TEXT, 
	fact_sentence TEXT, 
	package TEXT, 
	cost_eur FLOAT, 
	proposed_by TEXT NOT NULL, 
	proposer_key TEXT NOT NULL, 
	proposed_at TEXT NOT NULL, 
	state TEXT NOT NULL, 
	settled_by TEXT, 
	settler_key TEXT, 
	settled_at TEXT, 
	settled_note TEXT, 
	ends_on TEXT, 
	as_of TEXT NOT NULL, 
	p_fail FLOAT NOT NULL, 
	band TEXT NOT NULL, 
	agreement TEXT NOT NULL, 
	model_version TEXT NOT NULL, 
	feature_version TEXT NOT NULL, 
	policy_version TEXT NOT NULL, 
	form_token TEXT, 
	shown TEXT, 
	ledger_row BIGINT NOT NULL, 
	ended_at TEXT, 
	replaces TEXT, 
	reference TEXT, 
	binds TEXT NOT NULL, 
	PRIMARY KEY (decision_id), 
	UNIQUE (form_token)
);
INSERT INTO "decisions" VALUES('d-b2a1350767ed','K-0','EU','S-1','order_test','score_high','The charger grew hot in three reviews.',NULL,NULL,NULL,NULL,NULL,'Anna','k-anna','2026-07-01T12:00:00.000000+00:00','in_force',NULL,NULL,NULL,NULL,NULL,'2026-07-01',0.41,'high','as_asked','m-1','f-1','2026-01-01-233e83d2',NULL,'{"p_low": 0.31, "p_high": 0.52, "reasons": [{"feature": "supplier_fails", "contribution": 0.7, "sentence": "Its supplier failed 3 of 4 tests."}], "facts": [], "offer": {"title": "USB charger", "category": "mains_chargers", "listed_on": "2025-03-01"}, "notices": [], "rows": null}',4,NULL,NULL,NULL,'sku');
INSERT INTO "decisions" VALUES('d-3c0f82019774','K-0','EU','S-1','remove','failed_independent_test','The charger grew hot in three reviews.','failed_independent_test','T-1','An independent test of 1 June 2026 failed.',NULL,NULL,'Anna','k-anna','2026-07-01T12:00:00.000000+00:00','proposed',NULL,NULL,NULL,NULL,NULL,'2026-07-01',0.41,'high','harder','m-1','f-1','2026-01-01-233e83d2',NULL,'{"p_low": 0.31, "p_high": 0.52, "reasons": [{"feature": "supplier_fails", "contribution": 0.7, "sentence": "Its supplier failed 3 of 4 tests."}], "facts": [{"kind": "failed_independent_test", "since": "2026-06-01", "sentence": "An independent test of 1 June 2026 failed.", "row_id": "T-1", "author": null, "severity": "critical", "sku_id": null}], "offer": {"title": "USB charger", "category": "mains_chargers", "listed_on": "2025-03-01"}, "notices": [], "rows": null}',5,NULL,NULL,NULL,'sku');
CREATE TABLE estimates (
	sku_id TEXT NOT NULL, 
	market TEXT NOT NULL, 
	as_of TEXT NOT NULL, 
	key_id TEXT NOT NULL, 
	officer TEXT NOT NULL, 
	estimate FLOAT NOT NULL, 
	draw_probability FLOAT NOT NULL, 
	given_at TEXT NOT NULL, 
	PRIMARY KEY (sku_id, market, as_of, key_id)
);
CREATE TABLE ledger (
	number BIGINT NOT NULL, 
	recorded_at TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	action TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	content TEXT NOT NULL, 
	model_version TEXT, 
	feature_version TEXT, 
	policy_version TEXT, 
	previous_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (hash)
);
INSERT INTO "ledger" VALUES(1,'2026-07-20T12:00:00.000000+00:00','operator','create_key','453d6304887f','{"name":"Olga","person":"Olga","role":"officer"}',NULL,NULL,NULL,'0000000000000000000000000000000000000000000000000000000000000000','cf7b1457cde8d58ab90dad5d7f823794fedb9afad87c7af0dae6bf34e09b6b0d');
INSERT INTO "ledger" VALUES(2,'2026-07-20T12:00:00.000000+00:00','operator','create_key','b88b1239b85a','{"name":"Gone","person":"Gone","role":"admin"}',NULL,NULL,NULL,'cf7b1457cde8d58ab90dad5d7f823794fedb9afad87c7af0dae6bf34e09b6b0d','194acee03b0d4249d869b75ae15da2a0637f08272ec1481fd5552251d6d55dcf');
INSERT INTO "ledger" VALUES(3,'2026-07-20T12:00:00.000000+00:00','operator','revoke_key','b88b1239b85a','{}',NULL,NULL,NULL,'194acee03b0d4249d869b75ae15da2a0637f08272ec1481fd5552251d6d55dcf','d843cec78b1fc9a5f4a7224777ad798373924939cddcfbdeaa9f818bc56af9d0');
INSERT INTO "ledger" VALUES(4,'2026-07-01T12:00:00.000000+00:00','Anna','decide','K-0 EU','{"agreement":"as_asked","as_of":"2026-07-01","band":"high","code":"score_high","cost_eur":null,"disposition":"order_test","explanation":"The charger grew hot in three reviews.","fact_kind":null,"fact_row":null,"fact_sentence":null,"key":"k-anna","own_estimate":{"drawn":false,"estimate":null,"probability":0.1},"p_fail":0.41,"package":null,"reference":null,"shown":{"facts":[],"notices":[],"offer":{"category":"mains_chargers","listed_on":"2025-03-01","title":"USB charger"},"p_high":0.52,"p_low":0.31,"reasons":[{"contribution":0.7,"feature":"supplier_fails","sentence":"Its supplier failed 3 of 4 tests."}],"rows":null},"supplier_id":"S-1"}','m-1','f-1','2026-01-01-233e83d2','d843cec78b1fc9a5f4a7224777ad798373924939cddcfbdeaa9f818bc56af9d0','b2a1350767edd8b27807bd100a5add961168e46cf46c80997d2e868f8e2264dd');
INSERT INTO "ledger" VALUES(5,'2026-07-01T12:00:00.000000+00:00','Anna','propose','K-0 EU','{"agreement":"harder","as_of":"2026-07-01","band":"high","code":"failed_independent_test","cost_eur":null,"disposition":"remove","explanation":"The charger grew hot in three reviews.","fact_kind":"failed_independent_test","fact_row":"T-1","fact_sentence":"An independent test of 1 June 2026 failed.","key":"k-anna","own_estimate":{"drawn":false,"estimate":null,"probability":0.1},"p_fail":0.41,"package":null,"reference":null,"shown":{"facts":[{"author":null,"kind":"failed_independent_test","row_id":"T-1","sentence":"An independent test of 1 June 2026 failed.","severity":"critical","since":"2026-06-01","sku_id":null}],"notices":[],"offer":{"category":"mains_chargers","listed_on":"2025-03-01","title":"USB charger"},"p_high":0.52,"p_low":0.31,"reasons":[{"contribution":0.7,"feature":"supplier_fails","sentence":"Its supplier failed 3 of 4 tests."}],"rows":null},"supplier_id":"S-1"}','m-1','f-1','2026-01-01-233e83d2','b2a1350767edd8b27807bd100a5add961168e46cf46c80997d2e868f8e2264dd','3c0f82019774137450fc3176ed9b50a81f1f89da0a1e9a1c0720be503dd37679');
INSERT INTO "ledger" VALUES(6,'2026-07-20T12:00:00.000000+00:00','Sam','plan','2026-01-10-af6678e4','{"budget_eur":5000.0,"cost_eur":4711.0,"frame":"a4af625c9b14db12d1312a8db41a4943ea2bab613301d2a35bf3181840f18a47","in_test":0,"seal":"af6678e47492a0addb9a3120e04f8c96354400b52e781eecbbd81cbaa9af77e3","tests":73}','m-0700287cd29a','f-321cf3291d53','2026-01-01-5b86a6f8','3c0f82019774137450fc3176ed9b50a81f1f89da0a1e9a1c0720be503dd37679','864d6abc8436f101aed4b3be350638b2539a352012ff99ac12eff0a6b7a50739');
INSERT INTO "ledger" VALUES(7,'2026-07-20T12:00:00.000000+00:00','Ina','results','r-d2e93f23f465','{"key":"k-ina","results":1,"test_ids":"1cc91106e8efc58a90e1851a95aacf5ba5572db2d5b5b7784db8e43a61b86eb4"}',NULL,NULL,NULL,'864d6abc8436f101aed4b3be350638b2539a352012ff99ac12eff0a6b7a50739','5e7cf823d288a18bd0f6512d1e45067505538adbdbaebc1d9fff89197fd43e7f');
INSERT INTO "ledger" VALUES(8,'2026-07-20T12:00:00.000000+00:00','Ina','results','r-3162afcbb360','{"key":"k-ina","results":1,"test_ids":"cd4a8a25abc253aa3ce196fd7f16cac5b3645e18cde9fde3b944cda591ea88d1"}',NULL,NULL,NULL,'5e7cf823d288a18bd0f6512d1e45067505538adbdbaebc1d9fff89197fd43e7f','7a2a09fc1b79786eabd26162f7ea3ce15bad21dafa5c8e10419051ced0233145');
CREATE TABLE letters (
	letter_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	about TEXT NOT NULL, 
	supplier_id TEXT NOT NULL, 
	sku_id TEXT, 
	market TEXT, 
	title TEXT, 
	state TEXT NOT NULL, 
	language TEXT NOT NULL, 
	drafted_at TEXT NOT NULL, 
	checked_at TEXT, 
	checked_by TEXT, 
	checked_digest TEXT, 
	sent_at TEXT, 
	sent_by TEXT, 
	sent_row BIGINT, 
	delivered_at TEXT, 
	subject TEXT, 
	html TEXT, 
	text TEXT, 
	PRIMARY KEY (letter_id), 
	CONSTRAINT uq_letters_kind_about UNIQUE (kind, about)
);
CREATE TABLE quote_verdicts (
	verdict_id TEXT NOT NULL, 
	review_id TEXT NOT NULL, 
	sku_id TEXT NOT NULL, 
	market TEXT NOT NULL, 
	sentence TEXT NOT NULL, 
	language TEXT, 
	hazard TEXT NOT NULL, 
	verdict TEXT NOT NULL, 
	decided_by TEXT NOT NULL, 
	decided_at TEXT NOT NULL, 
	PRIMARY KEY (verdict_id)
);
CREATE TABLE rescorings (
	rescoring_id TEXT NOT NULL, 
	asked_by TEXT NOT NULL, 
	asked_at TEXT NOT NULL, 
	state TEXT NOT NULL, 
	step TEXT NOT NULL, 
	done BIGINT NOT NULL, 
	total BIGINT NOT NULL, 
	unit TEXT NOT NULL, 
	heard_at TEXT NOT NULL, 
	ended_at TEXT, 
	message TEXT, 
	PRIMARY KEY (rescoring_id)
);
CREATE TABLE results (
	test_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	hand_in TEXT NOT NULL, 
	content TEXT NOT NULL, 
	received_at TEXT NOT NULL, 
	received_from TEXT NOT NULL, 
	filed_at TEXT, 
	sku_id TEXT, 
	market TEXT, 
	status TEXT NOT NULL, 
	round_id TEXT, 
	PRIMARY KEY (test_id, version)
);
INSERT INTO "results" VALUES('T-0',1,'d2e93f23f465','{"accreditation":null,"clause":null,"cost_eur":null,"happened_on":"2026-07-02","hazard":null,"known_on":"2026-07-09","lab_id":null,"market":"DE","origin":"warehouse","package":null,"propensity":null,"report_digest":null,"report_number":null,"result":"pass","round_id":null,"severity":null,"sku_id":"K-1","standard":null,"status":"final","strategy":null,"test_id":"T-0","version":1}','2026-07-20T12:00:00.000000+00:00','k-ina','2026-07-20T12:00:00+00:00','K-1','DE','final',NULL);
INSERT INTO "results" VALUES('T-1',1,'3162afcbb360','{"accreditation":null,"clause":null,"cost_eur":null,"happened_on":"2026-07-02","hazard":null,"known_on":"2026-07-09","lab_id":null,"market":"DE","origin":"warehouse","package":null,"propensity":null,"report_digest":null,"report_number":null,"result":"pass","round_id":null,"severity":null,"sku_id":"K-1","standard":null,"status":"final","strategy":null,"test_id":"T-1","version":1}','2026-07-20T12:00:00.000000+00:00','k-ina',NULL,'K-1','DE','final',NULL);
CREATE TABLE webhook_deliveries (
	delivery_id TEXT NOT NULL, 
	endpoint TEXT NOT NULL, 
	ledger_row BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	attempts INTEGER NOT NULL, 
	due_at TEXT NOT NULL, 
	body TEXT NOT NULL, 
	error TEXT, 
	PRIMARY KEY (delivery_id), 
	CONSTRAINT uq_webhook_deliveries_row UNIQUE (endpoint, ledger_row)
);
CREATE INDEX ix_ledger_subject ON ledger (subject);
CREATE INDEX ix_ledger_action ON ledger (action);
CREATE TRIGGER ledger_UPDATE_refused BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_DELETE_refused BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE INDEX ix_appeals_decision_id ON appeals (decision_id);
CREATE INDEX ix_assignments_owner ON assignments (owner);
CREATE INDEX ix_quote_verdicts_review_id ON quote_verdicts (review_id);
CREATE INDEX ix_rescorings_asked_at ON rescorings (asked_at);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (state, due_at);
CREATE INDEX ix_decisions_state ON decisions (state);
CREATE INDEX ix_decisions_sku ON decisions (sku_id, market);
CREATE INDEX ix_decisions_ledger_row ON decisions (ledger_row);
CREATE INDEX ix_decisions_supplier ON decisions (supplier_id, state);
CREATE INDEX ix_decision_facts_row_id ON decision_facts (row_id);
CREATE INDEX ix_letters_about ON letters (about);
CREATE INDEX ix_letters_state ON letters (state, sent_row);
CREATE INDEX ix_results_round_id ON results (round_id);
CREATE INDEX ix_results_sku ON results (sku_id, market);
CREATE INDEX ix_results_filed_at ON results (filed_at);
CREATE INDEX ix_results_hand_in ON results (hand_in);
CREATE INDEX ix_results_received_at ON results (received_at);
COMMIT;
