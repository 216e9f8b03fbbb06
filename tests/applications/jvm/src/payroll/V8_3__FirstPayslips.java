// A migration that is a program: it reads hours and keeps a payslip for each employee, in a batch.

package payroll;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import org.flywaydb.core.api.migration.BaseJavaMigration;
import org.flywaydb.core.api.migration.Context;

public final class V8_3__FirstPayslips extends BaseJavaMigration {
    @Override
    public void migrate(Context context) throws Exception {
        Connection connection = context.getConnection();
        try (Statement statement = connection.createStatement();
                PreparedStatement insert = connection.prepareStatement("INSERT INTO payslips (employee_id, worked) VALUES (?, ?)")) {
            try (ResultSet rows = statement.executeQuery("SELECT e.id, sum(h.worked) FROM employees e JOIN hours h ON h.employee_id = e.id GROUP BY e.id")) {
                while (rows.next()) {
                    insert.setLong(1, rows.getLong(1));
                    insert.setBigDecimal(2, rows.getBigDecimal(2));
                    insert.addBatch();
                }
            }
            insert.executeBatch();
        }
    }
}
