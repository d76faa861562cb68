// java Aside.java HOW NAME: $VALUE by a temporary file of Java's, aside and then moved.
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

public class Aside {
	public static void main(String[] arguments) throws Exception {
		Path path = Path.of(arguments[1]);
		String name = path.getFileName().toString();
		Path aside = arguments[0].equals("File") ? File.createTempFile(name, null, path.getParent().toFile()).toPath()
				: Files.createTempFile(path.getParent(), name, arguments[0].equals("plain") ? "" : ".tmp");
		Files.writeString(aside, System.getenv("VALUE"));
		Files.move(aside, path, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
	}
}
