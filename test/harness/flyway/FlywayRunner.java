import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;
import org.flywaydb.core.api.output.BaselineResult;
import org.flywaydb.core.api.output.MigrateOutput;
import org.flywaydb.core.api.output.MigrateResult;
import org.flywaydb.core.api.output.RepairOutput;
import org.flywaydb.core.api.output.RepairResult;
import org.flywaydb.core.api.output.ValidateOutput;
import org.flywaydb.core.api.output.ValidateResult;
import org.flywaydb.core.internal.license.VersionPrinter;

/**
 * Runs the real Flyway on request. Each line of standard input is {"id", "command", "config"}, each line of standard
 * output {"id", "result" | "error", "log"}. Commands run one after the other; a second process runs beside it. The end
 * of standard input ends the process at once, in the middle of a command too: its parent is gone.
 */
final class FlywayRunner {
  private static final Gson JSON = new GsonBuilder().serializeNulls().create();
  private static final List<String> LOG = new ArrayList<>();

  public static void main(String[] arguments) throws Exception {
    PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // Whatever a library prints must not end up between the answers.
    System.setOut(System.err);
    collectLog();
    ExecutorService commands = Executors.newSingleThreadExecutor();
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = requests.readLine(); line != null; line = requests.readLine()) {
      String request = line;
      commands.execute(() -> answers.println(answer(request)));
    }
    Runtime.getRuntime().halt(0);
  }

  private static void collectLog() {
    Logger root = Logger.getLogger("");
    for (Handler handler : root.getHandlers()) root.removeHandler(handler);
    root.addHandler(
        new Handler() {
          @Override
          public void publish(LogRecord record) {
            if (record.getLevel().intValue() < Level.INFO.intValue()) return;
            synchronized (LOG) {
              LOG.add(record.getLevel() + " " + record.getMessage());
            }
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        });
  }

  @SuppressWarnings("unchecked")
  private static String answer(String line) {
    Map<String, Object> answer = new LinkedHashMap<>();
    synchronized (LOG) {
      LOG.clear();
    }
    try {
      Map<String, Object> request = JSON.fromJson(line, Map.class);
      answer.put("id", request.get("id"));
      Flyway flyway =
          Flyway.configure().configuration((Map<String, String>) request.get("config")).load();
      answer.put("result", run(flyway, (String) request.get("command")));
    } catch (Throwable error) {
      answer.put("error", describe(error));
    }
    synchronized (LOG) {
      answer.put("log", new ArrayList<>(LOG));
    }
    return JSON.toJson(answer);
  }

  private static Object run(Flyway flyway, String command) {
    return switch (command) {
      case "migrate" -> migrated(flyway.migrate());
      case "info" -> {
        List<Object> rows = new ArrayList<>();
        for (MigrationInfo info : flyway.info().all()) rows.add(row(info));
        yield rows;
      }
      case "validate" -> validated(flyway.validateWithResult());
      case "repair" -> repaired(flyway.repair());
      case "baseline" -> baselined(flyway.baseline());
      case "version" -> VersionPrinter.getVersion();
      default -> throw new IllegalArgumentException("No such command: " + command);
    };
  }

  private static Map<String, Object> migrated(MigrateResult result) {
    List<Object> migrations = new ArrayList<>();
    for (MigrateOutput output : result.migrations) {
      Map<String, Object> migration = new LinkedHashMap<>();
      migration.put("version", output.version);
      migration.put("description", output.description);
      migration.put("type", output.type);
      migrations.add(migration);
    }
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("success", result.success);
    map.put("initialVersion", result.initialSchemaVersion);
    map.put("targetVersion", result.targetSchemaVersion);
    map.put("migrationsExecuted", result.migrationsExecuted);
    map.put("migrations", migrations);
    map.put("warnings", result.warnings);
    return map;
  }

  private static Map<String, Object> row(MigrationInfo info) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("installedRank", info.getInstalledRank());
    map.put("version", info.getVersion() == null ? null : info.getVersion().getVersion());
    map.put("description", info.getDescription());
    map.put("type", info.getType().name());
    map.put("state", info.getState().getDisplayName());
    map.put("script", info.getScript());
    map.put("checksum", info.getChecksum());
    map.put("installedBy", info.getInstalledBy());
    return map;
  }

  private static Map<String, Object> validated(ValidateResult result) {
    List<Object> invalid = new ArrayList<>();
    for (ValidateOutput output : result.invalidMigrations) {
      Map<String, Object> migration = new LinkedHashMap<>();
      migration.put("version", output.version);
      migration.put("description", output.description);
      migration.put("errorCode", output.errorDetails.errorCode.toString());
      migration.put("message", output.errorDetails.errorMessage);
      invalid.add(migration);
    }
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("successful", result.validationSuccessful);
    map.put("count", result.validateCount);
    map.put("invalid", invalid);
    map.put("message", result.errorDetails == null ? null : result.errorDetails.errorMessage);
    return map;
  }

  private static Map<String, Object> repaired(RepairResult result) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("actions", result.repairActions);
    map.put("removed", versions(result.migrationsRemoved));
    map.put("deleted", versions(result.migrationsDeleted));
    map.put("aligned", versions(result.migrationsAligned));
    return map;
  }

  private static List<String> versions(List<RepairOutput> outputs) {
    List<String> versions = new ArrayList<>();
    for (RepairOutput output : outputs) versions.add(output.version);
    return versions;
  }

  private static Map<String, Object> baselined(BaselineResult result) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("successful", result.successfullyBaselined);
    map.put("version", result.baselineVersion);
    return map;
  }

  private static Map<String, Object> describe(Throwable error) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("type", error.getClass().getSimpleName());
    map.put("code", error instanceof FlywayException flyway ? flyway.getErrorCode().toString() : null);
    map.put("message", String.valueOf(error.getMessage()));
    return map;
  }

  private FlywayRunner() {}
}
