"""Every class of syntax node that only statements which change the schema hold, and its known fields. Data.

Of these, `penstock_core.sql.bind.schema_changes` walks through everything, so that each field that holds nodes is
bound; the others are names and options of what is made. A class or field that is not listed is refused where it is set.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.words import words

SCHEMA_NODES: dict[type[ast.Node], frozenset[str]] = {
    ast.ATAlterConstraint: words("""
        conname alterEnforceability is_enforced alterDeferrability deferrable initdeferred
        alterInheritability noinherit
    """),
    ast.AccessPriv: words("priv_name cols"),
    ast.AlterCollationStmt: words("collname"),
    ast.AlterDefaultPrivilegesStmt: words("options action"),
    ast.AlterDomainStmt: words("subtype typeName name def_ behavior missing_ok"),
    ast.AlterEnumStmt: words("typeName oldVal newVal newValNeighbor newValIsAfter skipIfNewValExists"),
    ast.AlterExtensionStmt: words("extname options"),
    ast.AlterFunctionStmt: words("objtype func actions"),
    ast.AlterObjectDependsStmt: words("objectType relation object extname remove"),
    ast.AlterObjectSchemaStmt: words("objectType relation object newschema missing_ok"),
    ast.AlterOpFamilyStmt: words("opfamilyname amname isDrop items"),
    ast.AlterOperatorStmt: words("opername options"),
    ast.AlterOwnerStmt: words("objectType relation object newowner"),
    ast.AlterPolicyStmt: words("policy_name table roles qual with_check"),
    ast.AlterSeqStmt: words("sequence options for_identity missing_ok"),
    ast.AlterStatsStmt: words("defnames stxstattarget missing_ok"),
    ast.AlterTSConfigurationStmt: words("kind cfgname tokentype dicts override replace missing_ok"),
    ast.AlterTSDictionaryStmt: words("dictname options"),
    ast.AlterTableCmd: words("subtype name num newowner def_ behavior missing_ok recurse"),
    ast.AlterTableStmt: words("relation cmds objtype missing_ok"),
    ast.AlterTypeStmt: words("typeName options"),
    ast.CallStmt: words("funccall funcexpr outargs"),
    ast.ClusterStmt: words("relation indexname params"),
    ast.ColumnDef: words("""
        colname typeName compression inhcount is_local is_not_null is_from_type storage storage_name
        raw_default identity identitySequence generated collClause constraints fdwoptions
    """),
    ast.CommentStmt: words("objtype object comment"),
    ast.CompositeTypeStmt: words("typevar coldeflist"),
    ast.Constraint: words("""
        contype conname deferrable initdeferred is_enforced skip_validation initially_valid is_no_inherit
        raw_expr generated_when generated_kind nulls_not_distinct keys without_overlaps including exclusions
        options indexname indexspace reset_default_tblspc access_method where_clause pktable fk_attrs
        pk_attrs fk_with_period pk_with_period fk_matchtype fk_upd_action fk_del_action fk_del_set_cols
        old_conpfeqop
    """),
    ast.CreateAmStmt: words("amname handler_name amtype"),
    ast.CreateCastStmt: words("sourcetype targettype func context inout"),
    ast.CreateConversionStmt: words("conversion_name for_encoding_name to_encoding_name func_name def_"),
    ast.CreateDomainStmt: words("domainname typeName collClause constraints"),
    ast.CreateEnumStmt: words("typeName vals"),
    ast.CreateExtensionStmt: words("extname if_not_exists options"),
    ast.CreateFunctionStmt: words("is_procedure replace funcname parameters returnType options sql_body"),
    ast.CreateOpClassItem: words("itemtype name number order_family class_args storedtype"),
    ast.CreateOpClassStmt: words("opclassname opfamilyname amname datatype items isDefault"),
    ast.CreateOpFamilyStmt: words("opfamilyname amname"),
    ast.CreatePolicyStmt: words("policy_name table cmd_name permissive roles qual with_check"),
    ast.CreateRangeStmt: words("typeName params"),
    ast.CreateSchemaStmt: words("schemaname authrole schemaElts if_not_exists"),
    ast.CreateSeqStmt: words("sequence options for_identity if_not_exists"),
    ast.CreateStatsStmt: words("defnames stat_types exprs relations stxcomment transformed if_not_exists"),
    ast.CreateStmt: words("""
        relation tableElts inhRelations partbound partspec ofTypename constraints nnconstraints options
        oncommit tablespacename accessMethod if_not_exists
    """),
    ast.CreateTransformStmt: words("replace type_name lang fromsql tosql"),
    ast.CreateTrigStmt: words("""
        replace isconstraint trigname relation funcname args row timing events columns whenClause
        transitionRels deferrable initdeferred constrrel
    """),
    ast.DefElem: words("defnamespace defname arg defaction"),
    ast.DefineStmt: words("kind oldstyle defnames args definition if_not_exists replace"),
    ast.DoStmt: words("args"),
    ast.FunctionParameter: words("name argType mode defexpr"),
    ast.GrantStmt: words("is_grant targtype objtype objects privileges grantees grant_option grantor behavior"),
    ast.IndexElem: words("name expr indexcolname collation opclass opclassopts ordering nulls_ordering"),
    ast.IndexStmt: words("""
        idxname relation accessMethod tableSpace indexParams indexIncludingParams options whereClause
        excludeOpNames idxcomment oldCreateSubid oldFirstRelfilelocatorSubid unique nulls_not_distinct
        primary isconstraint iswithoutoverlaps deferrable initdeferred transformed concurrent if_not_exists
        reset_default_tblspc
    """),
    ast.ListenStmt: words("conditionname"),
    ast.LockStmt: words("relations mode nowait"),
    ast.NotifyStmt: words("conditionname payload"),
    ast.ObjectWithArgs: words("objname objargs objfuncargs args_unspecified"),
    ast.PartitionBoundSpec: words("strategy is_default modulus remainder listdatums lowerdatums upperdatums"),
    ast.PartitionCmd: words("name bound concurrent"),
    ast.PartitionElem: words("name expr collation opclass"),
    ast.PartitionRangeDatum: words("kind value"),
    ast.PartitionSpec: words("strategy partParams"),
    ast.RefreshMatViewStmt: words("concurrent skipData relation"),
    ast.ReindexStmt: words("kind relation name params"),
    ast.RenameStmt: words("renameType relationType relation object subname newname behavior missing_ok"),
    ast.ReplicaIdentityStmt: words("identity_type name"),
    ast.ReturnStmt: words("returnval"),
    ast.RoleSpec: words("roletype rolename"),
    ast.RuleStmt: words("relation rulename whereClause event instead actions replace"),
    ast.StatsElem: words("name expr"),
    ast.TableLikeClause: words("relation options"),
    ast.TriggerTransition: words("name isNew isTable"),
    ast.VacuumRelation: words("relation va_cols"),
    ast.VacuumStmt: words("options rels is_vacuumcmd"),
    ast.ViewStmt: words("view aliases query replace options withCheckOption"),
}
