#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace filetree::testing {

// A directory of the test's own, removed with everything in it, however deep.
class TemporaryDirectory {
   public:
    // In memory, where there is such a place, when many files will be made.
    enum class Place { anywhere, in_memory };

    explicit TemporaryDirectory(Place place = Place::anywhere) {
        const std::filesystem::path memory = "/dev/shm";
        const bool in_memory =
            place == Place::in_memory && ::access(memory.c_str(), W_OK | X_OK) == 0;
        std::string name =
            ((in_memory ? memory : std::filesystem::temp_directory_path()) / "filetree-XXXXXX")
                .native();
        if (::mkdtemp(name.data()) == nullptr) std::abort();
        path_ = name;
    }
    ~TemporaryDirectory() { remove_all(); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

    std::string add_file(const std::string& name, std::size_t size = 0) const {
        std::string path = *this / name;
        std::ofstream(path, std::ios::binary) << std::string(size, 'x');
        return path;
    }
    std::string add_directory(const std::string& name) const {
        std::string path = *this / name;
        std::filesystem::create_directories(path);
        return path;
    }
    // Directories one in the other, all called `name`, each with an empty file called "f". Made
    // step by step, because the path soon is too long for one call.
    void add_chain(const std::string& name, std::size_t depth) const {
        int at = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        for (std::size_t i = 0; i < depth; ++i) {
            ASSERT_EQ(::mkdirat(at, name.c_str(), 0755), 0) << "at depth " << i;
            const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            ASSERT_GE(next, 0);
            ::close(::openat(next, "f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
            ::close(at);
            at = next;
        }
        ::close(at);
    }

    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) {
            found.push_back(entry.path().filename().native());
        }
        return found;
    }

   private:
    // Moves every directory up to the top before it is emptied: no recursion, no long path.
    void remove_all() const {
        const int top = ::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        std::vector<std::string> pending;
        std::size_t counter = 0;
        empty(top, top, pending, counter);
        while (!pending.empty()) {
            const std::string name = pending.back();
            pending.pop_back();
            ::fchmodat(top, name.c_str(), 0700, 0);
            const int at = ::openat(top, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (at >= 0) empty(top, at, pending, counter);
            ::close(at);
            ::unlinkat(top, name.c_str(), AT_REMOVEDIR);
        }
        ::close(top);
        ::rmdir(path_.c_str());
    }
    static void empty(int top, int at, std::vector<std::string>& pending, std::size_t& counter) {
        DIR* listing = ::fdopendir(::dup(at));
        if (listing == nullptr) return;
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(listing)) names.emplace_back(entry->d_name);
        ::closedir(listing);
        for (const std::string& name : names) {
            if (name == "." || name == "..") continue;
            if (::unlinkat(at, name.c_str(), 0) == 0) continue;
            std::string moved = ".removing-" + std::to_string(counter++);
            if (::renameat(at, name.c_str(), top, moved.c_str()) == 0) {
                pending.push_back(std::move(moved));
            }
        }
    }

    std::string path_;
};

inline std::string content_of(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
}

// How many descriptors of this process lead to what is in `directory`, or to the directory itself.
inline std::size_t open_descriptors(const TemporaryDirectory& directory) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        std::error_code gone;  // others open and close theirs meanwhile
        const std::string target = std::filesystem::read_symlink(entry.path(), gone).native();
        if (target.starts_with(directory.path())) ++count;
    }
    return count;
}

}  // namespace filetree::testing
