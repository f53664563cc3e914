#include "protected.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "../fs/platform.hpp"

namespace filetree {

ProtectedPath::ProtectedPath(const std::string& top, const std::string& place)
    : std::invalid_argument("top: " + top + (place == "/" ? " is " : " is or lies in ") + place +
                            ", where nothing is repaired") {}

namespace repair {
namespace {

// No path is deeper.
constexpr int most_levels = 100'000;

}  // namespace

ProtectedDirectories::ProtectedDirectories(FileSystem& fs, CallContext& context) {
    for (const std::string_view path : protected_directories) {
        const StatResult found = fs.attributes(std::string(path), true, StatMask::type, context);
        if (found.error == 0) {
            known_.push_back({path, found.attributes.device, found.attributes.inode});
        }
    }
}

std::string_view ProtectedDirectories::holding(std::string_view path) noexcept {
    if (path == "/") return "/";
    for (const std::string_view place : protected_directories) {
        if (path.starts_with(place) && (path.size() == place.size() || path[place.size()] == '/')) {
            return place;
        }
    }
    return {};
}

Result<std::string_view> ProtectedDirectories::holding(Directory& directory,
                                                       CallContext& context) const {
    StatResult at = directory.attributes(context);
    std::string upwards = "..";
    for (int level = 0; at.error == 0 && level < most_levels; ++level) {
        if (const std::string_view place = being(at.attributes); !place.empty()) {
            return {place, 0};
        }
        const auto above = directory.pin(upwards.c_str(), context);
        if (!above.ok()) return Result<std::string_view>::failure(above.error);
        const StatResult next = above.value->attributes(context);
        if (next.error == 0 && next.attributes.has_inode_of(at.attributes)) {  // ".." of the root
            return {level == 0 ? std::string_view("/") : std::string_view(), 0};
        }
        at = next;
        upwards += "/..";
    }
    return Result<std::string_view>::failure(at.error != 0 ? at.error : ELOOP);
}

std::string_view ProtectedDirectories::being(const Attributes& entry) const noexcept {
    for (const Known& known : known_) {
        if (known.inode == entry.inode && known.device == entry.device) return known.path;
    }
    return {};
}

bool ProtectedDirectories::hold(const WalkedDirectory* directory) const noexcept {
    for (; directory != nullptr; directory = directory->above()) {
        if (!being(directory->attributes()).empty()) return true;
    }
    return false;
}

void require_pinning(const std::string& name) {
    if (platform::can_pin) return;
    throw SystemError(EOPNOTSUPP, name, "repair is not available on this system");
}

std::string resolved(const std::string& path) {
    namespace filesystem = std::filesystem;
    std::error_code error;
    const filesystem::path absolute = filesystem::absolute(path, error);
    filesystem::path out = filesystem::weakly_canonical(absolute, error);
    if (error) out = absolute.lexically_normal();
    std::string text = out.string();
    while (text.size() > 1 && text.ends_with('/')) text.pop_back();
    return text;
}

}  // namespace repair
}  // namespace filetree
