// Adds access-control entries: one per line of the file that is named, as
// KIND NAME PATTERN OPERATION PRINCIPAL (TOPIC orders LITERAL READ User:a).
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

class Allow {
    public static void main(String[] args) throws Exception {
        List<AclBinding> entries = new ArrayList<>();
        for (String line : Files.readAllLines(Path.of(args[1]))) {
            String[] words = line.split(" ");
            entries.add(new AclBinding(
                new ResourcePattern(ResourceType.valueOf(words[0]), words[1], PatternType.valueOf(words[2])),
                new AccessControlEntry(words[4], "*", AclOperation.valueOf(words[3]), AclPermissionType.ALLOW)));
        }
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", (Object) args[0]))) {
            admin.createAcls(entries).all().get();
        }
    }
}
